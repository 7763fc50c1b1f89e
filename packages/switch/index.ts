export { type Chance, FaultyLink, invertBit, isCorruptible, type LinkFaults } from './faults.ts';
export { type Impairment, noImpairment } from './impairment.ts';
export { FRAME_BYTES_MAX, PORTS_MAX, PREFIX_BYTES } from './limits.ts';
export {
  type DropCounters,
  type PortCounters,
  type PortHandler,
  Switch,
  type SwitchOptions,
  SwitchPort,
  type SwitchTap,
} from './switch.ts';
export { SwitchNetDevice } from './switch-net-device.ts';
