import { systemClock } from "../../platform/clock";
import { backUp } from "../backup";
import { dataPaths } from "../data-folder";
import { restore } from "../restore";
import { expectWords, parseArguments } from "./arguments";
import type { Command } from "./command";
import { readConfig } from "./read-config";

export const backupCommand: Command = {
  usage: "backup FILE [--data DIR] [--config FILE]",
  about: "writes databases, keys, certificates and packages into FILE; the server may run meanwhile",
  async run(words, { out, environment }) {
    const { positional, flags } = parseArguments(words);
    const [file = ""] = expectWords(positional, "FILE");
    const { files, lost } = await backUp(dataPaths(readConfig(flags, environment).data), file, systemClock);
    out(`${file}: ${files.length} files, ${files.reduce((sum, { size }) => sum + size, 0)} bytes before compression\n`);
    for (const fileId of lost)
      out(`the file of package ${fileId} is missing in the data folder: it is not in the backup\n`);
    if (environment.ISLET_MASTER_KEY !== undefined)
      out("the master key comes from the environment and is not in the backup: keep it elsewhere\n");
    return 0;
  },
};

export const restoreCommand: Command = {
  usage: "restore FILE [--data DIR] [--config FILE]",
  about: "verifies FILE, then puts it in the place of the data folder's content, which is kept beside it",
  async run(words, { out, environment }) {
    const { positional, flags } = parseArguments(words);
    const [file = ""] = expectWords(positional, "FILE");
    const { kept } = await restore(dataPaths(readConfig(flags, environment).data), file, systemClock);
    out(`${file} is restored${kept === undefined ? "" : `; what was there before is in ${kept}`}\n`);
    return 0;
  },
};
