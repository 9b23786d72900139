import { ConfigError } from "../config";
import { UsageError } from "./arguments";
import { backupCommand, restoreCommand } from "./backup";
import type { Command, Terminal } from "./command";
import { checkConfigCommand, printConfigCommand } from "./config";
import { demoCommand } from "./demo";
import { healthCommand } from "./health";
import { serveCommand } from "./serve";
import { signCommand } from "./sign";
import { simCommand } from "./sim";
import { versionCommand } from "./version";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: serveCommand,
  demo: demoCommand,
  "check-config": checkConfigCommand,
  "print-config": printConfigCommand,
  sim: simCommand,
  sign: signCommand,
  health: healthCommand,
  backup: backupCommand,
  restore: restoreCommand,
  version: versionCommand,
};

/** Runs one command, or tells of it (`--help`). 0: done. 1: failed, why is on standard error. 2: wrong arguments, usage there. */
export async function runCli(words: readonly string[], terminal: Terminal): Promise<number> {
  const isHelp = words.some((word) => HELP.includes(word)) || words[0] === "help";
  const [name = "", ...rest] = words.filter((word, at) => !HELP.includes(word) && !(at === 0 && word === "help"));
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (isHelp && (command || name === "")) {
    terminal.out(command ? `${usageOf(command, rest)}\n\n${command.about}\n` : usage());
    return 0;
  }
  if (!command) {
    terminal.err(`${name === "" ? "a command is missing" : `unknown command ${name}`}\n\n${usage()}`);
    return 2;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`${error.message}\n\n${usageOf(command, rest)}\n`);
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

const HELP = ["--help", "-h"];

const usageOf = ({ usage, manual }: Command, words: readonly string[]): string =>
  `usage: ${manual ? manual(words) : `islet ${usage}`}`;

function usage(): string {
  const rows = Object.values(COMMANDS).map(({ usage: line, about }) => `  islet ${line}\n      ${about}`);
  return `usage:\n${rows.join("\n")}\n\nislet COMMAND --help tells more of one.\n`;
}
