export { emitProof, formatProof, type Proof, parseProof } from './proof.ts';
