import type { SessionPeer } from "./session-peer";

export type PeerMemory = {
  /** The peer of this session if anybody still holds it. */
  find(sessionNo: number): SessionPeer | undefined;
  keep(peer: SessionPeer): void;
};

/** Peers whose session is not in memory: found again while somebody holds them, and no reason to keep them. */
export function peerMemory(): PeerMemory {
  const kept = new Map<number, WeakRef<SessionPeer>>();
  const collected = new FinalizationRegistry<number>((sessionNo) => {
    if (kept.get(sessionNo)?.deref() === undefined) kept.delete(sessionNo);
  });
  return {
    find: (sessionNo) => kept.get(sessionNo)?.deref(),
    keep(peer) {
      if (kept.get(peer.sessionNo)?.deref() === peer) return;
      kept.set(peer.sessionNo, new WeakRef(peer));
      collected.register(peer, peer.sessionNo);
    },
  };
}
