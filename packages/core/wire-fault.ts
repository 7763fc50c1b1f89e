/** What a peer got wrong in bytes it sent: a value that is counted and dropped, never thrown. */
export type WireFault =
  | { readonly kind: 'short'; readonly needBytes: number; readonly haveBytes: number }
  | { readonly kind: 'field'; readonly offset: number; readonly value: number }
  | { readonly kind: 'checksum'; readonly offset: number };
