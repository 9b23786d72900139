import { ConfigError } from "../config";
import { UsageError } from "./arguments";
import { backupCommand, restoreCommand } from "./backup";
import type { Command, Terminal } from "./command";
import { checkConfigCommand, printConfigCommand } from "./config";
import { demoCommand } from "./demo";
import { healthCommand } from "./health";
import { serveCommand } from "./serve";
import { simCommand } from "./sim";
import { versionCommand } from "./version";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: serveCommand,
  demo: demoCommand,
  "check-config": checkConfigCommand,
  "print-config": printConfigCommand,
  sim: simCommand,
  health: healthCommand,
  backup: backupCommand,
  restore: restoreCommand,
  version: versionCommand,
};

/** Runs one command. 0: done. 1: failed, the reason is on standard error. 2: wrong arguments, usage on standard error. */
export async function runCli(words: readonly string[], terminal: Terminal): Promise<number> {
  const [name = "", ...rest] = words;
  if (["help", "--help", "-h"].includes(name)) {
    terminal.out(usage());
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    terminal.err(`${name === "" ? "a command is missing" : `unknown command ${name}`}\n\n${usage()}`);
    return 2;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`${error.message}\n\nusage: islet ${command.usage}\n`);
      return 2;
    }
    if (error instanceof ConfigError) {
      terminal.err(`${error.message}\n`);
      return 2;
    }
    terminal.err(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function usage(): string {
  const rows = Object.values(COMMANDS).map(({ usage: line, about }) => `  islet ${line}\n      ${about}`);
  return `usage:\n${rows.join("\n")}\n`;
}
