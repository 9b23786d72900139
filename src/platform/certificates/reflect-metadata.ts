/**
 * The four functions of the metadata proposal that @peculiar/x509 (by tsyringe) needs to be loaded at all; it leaves
 * bringing them to its users. Import this before it. A whole polyfill would be one more dependency for 20 lines.
 */
type MetadataReflect = {
  defineMetadata?(key: unknown, value: unknown, target: object): void;
  getOwnMetadata?(key: unknown, target: object): unknown;
  getMetadata?(key: unknown, target: object): unknown;
  metadata?(key: unknown, value: unknown): (target: object) => void;
};

const reflect = Reflect as MetadataReflect;
if (!reflect.getMetadata) {
  const metadata = new WeakMap<object, Map<unknown, unknown>>();
  const own = (key: unknown, target: object) => metadata.get(target)?.get(key);
  const define = (key: unknown, value: unknown, target: object) => {
    metadata.set(target, (metadata.get(target) ?? new Map()).set(key, value));
  };
  reflect.defineMetadata = define;
  reflect.getOwnMetadata = own;
  reflect.getMetadata = (key, target) => {
    for (let at: object | null = target; at; at = Object.getPrototypeOf(at)) {
      const value = own(key, at);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  // Decorators hand over members too; nothing that we use asks for metadata of members.
  reflect.metadata = (key, value) => (target) => define(key, value, target);
}
