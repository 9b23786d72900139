import { VERSION } from "../version";
import { expectWords } from "./arguments";
import type { Command } from "./command";

export const versionCommand: Command = {
  usage: "version",
  about: "prints the version",
  async run(words, { out }) {
    expectWords(words);
    out(`islet ${VERSION} (bun ${Bun.version}, ${process.platform} ${process.arch})\n`);
    return 0;
  },
};
