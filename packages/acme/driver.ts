/** Drives a session's procedure with a transport and the event loop's timers. */

import { Timer, type TimerQueue } from '#core';
import type { Failure } from './error.ts';
import type { AcmeSession, Procedure } from './session.ts';
import type { AcmeTransport, Sending } from './transport.ts';

/** Runs `procedure`; `done` is called once, never within this call. */
export function runProcedure(
  session: AcmeSession,
  procedure: Procedure,
  transport: AcmeTransport,
  timers: TimerQueue,
  done: (failure: Failure | null) => void,
): void {
  let sending: Sending | null = null;
  const advance = (): void => {
    for (;;) {
      const action = session.advance(timers.now);
      switch (action.kind) {
        case 'send':
          sending = transport.send(action.request, (result) => {
            sending = null;
            session.received(result, timers.now);
            advance();
          });
          break;
        case 'cancel':
          sending?.cancel();
          sending = null;
          break;
        case 'wait':
          timers.arm(timer, action.until);
          return;
        case 'over':
          timers.stop(timer);
          done(action.failure);
          return;
      }
    }
  };
  const timer = new Timer(advance);
  session.begin(procedure, timers.now);
  timers.arm(timer, timers.now);
}
