import { printConfig } from "../config";
import { expectWords, parseArguments } from "./arguments";
import type { Command } from "./command";
import { readConfig } from "./read-config";

export const checkConfigCommand: Command = {
  usage: "check-config [--config FILE] [--KEY VALUE]...",
  about: "checks file, environment and flags without starting anything",
  async run(words, { out, environment }) {
    const { positional, flags } = parseArguments(words);
    expectWords(positional);
    readConfig(flags, environment);
    out("the configuration is valid\n");
    return 0;
  },
};

export const printConfigCommand: Command = {
  usage: "print-config",
  about: "prints a commented configuration file with every key and its default",
  async run(words, { out }) {
    const { positional, flags } = parseArguments(words);
    expectWords([...positional, ...Object.keys(flags)]);
    out(printConfig());
    return 0;
  },
};
