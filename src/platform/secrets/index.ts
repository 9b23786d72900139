export { equalBytes, processDigest } from "./compare";
export { MASTER_KEY_VARIABLE, MasterKeyError } from "./master-key";
export { openSecrets, type Secrets, secretsFrom } from "./open-secrets";
export { randomText } from "./random-text";
export { createSealer, SealError, type Sealer } from "./sealer";
export { SECRET_HASH_DEFAULTS, type SecretHashes, type SecretHashSettings, secretHashes } from "./secret-hashes";
