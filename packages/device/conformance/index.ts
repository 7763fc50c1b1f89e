export { type NetCase, type NetWire, netCases, testFrame } from './net.ts';
