import type { Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { TrieRouter } from "hono/router/trie-router";

/**
 * One regular expression for all paths but the odd ones: a path with a name where another has a parameter cannot go into
 * it, and Hono's own choice would be to walk a tree for every path then. No odd path may match what another one matches.
 */
export function quickRouter<T>(isOdd: (path: string) => boolean): Router<T> {
  const most = new RegExpRouter<T>();
  const odd = new TrieRouter<T>();
  return {
    name: "quick",
    add: (method, path, handler) => (isOdd(path) ? odd : most).add(method, path, handler),
    match(method, path) {
      const found = most.match(method, path);
      return found[0].length > 0 ? found : odd.match(method, path);
    },
  };
}
