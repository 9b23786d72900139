/**
 * Typed, synchronous events: the way upwards for facts. `E` maps a name to what it carries.
 * An event emitted inside a transaction reaches its listeners inside that transaction, so what they store
 * (an outbox row, say) is committed with the change or not at all.
 */
export interface Emitter<E> {
  emit<K extends keyof E>(name: K, event: E[K]): void;
}
export interface Listenable<E> {
  on<K extends keyof E>(name: K, listener: (event: E[K]) => void): void;
}
export type EventBus<E> = Emitter<E> & Listenable<E>;

export function eventBus<E>(): EventBus<E> {
  const listeners = new Map<keyof E, ((event: never) => void)[]>();
  return {
    on(name, listener) {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
    },
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) listener(event as never);
    },
  };
}
