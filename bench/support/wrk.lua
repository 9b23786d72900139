-- Requests whose path and body name a random number: "@" stands for one of FIRST to LAST.
-- wrk … -- SEED FIRST LAST PATH [BODY]; the result is one line of JSON.
local first, last, path, body

function init(args)
  math.randomseed(tonumber(args[1]))
  first, last, path, body = tonumber(args[2]), tonumber(args[3]), args[4], args[5]
  if body then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
  end
end

function request()
  local number = tostring(math.random(first, last))
  return wrk.format(nil, (path:gsub("@", number)), nil, body and (body:gsub("@", number)))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"bytes":%d,"refused":%d,"broken":%d,"p50Ms":%f,"p99Ms":%f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
