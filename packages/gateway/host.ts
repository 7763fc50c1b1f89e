/** What the gateway uses of the host's network. */

import type { Result } from '#core';
import type { DatagramHandler, DatagramSocket, Flow, ListenError, Listener, Stack } from '#device';

export interface GatewayHost extends Stack {
  /** As `listen`, on one address of the host only. Absent: published ports are on every address. */
  listenAt?(
    address: string,
    port: number,
    accept: (flow: Flow) => void,
  ): Promise<Result<Listener, ListenError>>;
  /** As `bind`, likewise. */
  bindAt?(
    address: string,
    port: number,
    handler: DatagramHandler,
  ): Promise<Result<DatagramSocket, ListenError>>;
}
