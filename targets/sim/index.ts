/** The simulator: machines and a network in virtual time, from one seed. */
export { launch, type SimLaunch, type SimProcess } from './launch.ts';
export { PcapRecorder } from './pcap.ts';
export { SimBlockDevice, type SimBlockOptions } from './sim-block-device.ts';
export { SimControl } from './sim-control.ts';
export { SimCrash, SimFileSystem } from './sim-file-system.ts';
export {
  SimNetDevice,
  type SimNetDeviceOptions,
  simNetDeviceDefaults,
} from './sim-net-device.ts';
export { SimRandom } from './sim-random.ts';
export { noFaults, type SimFaults, SimSwitch } from './sim-switch.ts';
export { type Settle, type SimHost, SimTimeout, SimWorld } from './sim-world.ts';
