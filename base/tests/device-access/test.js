// Ports, device memory below and above 4 GiB, DMA memory; addresses of RAM are refused.
const refuses = (call) => {
  try {
    call();
    return 'accepted';
  } catch (error) {
    return error.name;
  }
};
const say = (text) => __base.consoleWrite(`${text}\n`);
__base.portWrite(0xcf8, 32, 0x80000000);
const bridge = __base.portRead(0xcfc, 32);
say(`virtio-mmio ${__base.mmioRead(0xfeb00000, 32).toString(16)}`);
say(
  `pci ${(bridge & 0xffff).toString(16)} ${(__base.mmioRead(0xb0000000, 32) & 0xffff).toString(16)}`,
);
say(`high ${typeof __base.mmioRead(0x7000000000, 32)}`);
say(`ram ${refuses(() => __base.mmioRead(0x200000, 32))}`);
say(`null ${refuses(() => __base.mmioRead(0, 32))}`);
say(`odd ${refuses(() => __base.mmioRead(0xfeb00001, 32))}`);
say(`width ${refuses(() => __base.mmioWrite(0xfeb00000, 64, 0))}`);
say(`port ${refuses(() => __base.portRead(65536, 8))}`);
const a = __base.dmaAllocate(100, 16);
const b = __base.dmaAllocate(70000, 65536);
const at = [a, b].map((view) => __base.physicalAddress(view));
say(`dma ${a.length} ${b.length} ${at[0] % 16} ${at[1] % 65536} ${a.every((x) => x === 0)}`);
say(`offset ${__base.physicalAddress(b.subarray(5)) - at[1]}`);
say(
  `align ${refuses(() => __base.dmaAllocate(1, 3))} ${refuses(() => __base.dmaAllocate(1, 131072))}`,
);
__base.barrier();
