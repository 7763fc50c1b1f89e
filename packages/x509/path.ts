/**
 * Path building and validation, RFC 5280 §6, RFC 4158: from a leaf over the certificates that came
 * with it, in any order, to an anchor. Depth first, cheap checks before signatures, and every step
 * counted. Read first: limits.ts, path-fault.ts. Deviates: no policies (all are acceptable, none
 * is required; a critical policyConstraints is refused as unknown).
 */

import { assert, err, ok, type Result, type WallTime } from '#core';
import type { CryptoPrimitives, PublicKey } from '#device';
import type { TrustAnchors } from './anchors.ts';
import { sameBytes } from './bytes.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { type RevocationList, revocationOf } from './crl.ts';
import { hasUsage, keyUsage } from './extensions.ts';
import { matchesHost } from './host-match.ts';
import {
  CHAIN_CERTIFICATES_MAX,
  PATH_COMPARISONS_MAX,
  PATH_CRLS_MAX,
  PATH_INTERMEDIATES_MAX,
  PATH_SIGNATURES_MAX,
  PATH_STEPS_MAX,
  RSA_BITS_MAX,
  RSA_BITS_MIN,
} from './limits.ts';
import { nameKey } from './name.ts';
import { allowsNames } from './name-constraints.ts';
import { oid } from './oid.ts';
import type { PathFault, PathFaultKind } from './path-fault.ts';

export interface PathOptions {
  readonly crypto: CryptoPrimitives;
  /** The leaf first, the others in any order; views of them are kept in the path. */
  readonly chain: readonly Uint8Array[];
  readonly anchors: TrustAnchors;
  readonly at: WallTime;
  readonly purpose: 'serverAuth' | 'clientAuth';
  /** The DNS name (A-labels) or IP address that the leaf must name; null: any. */
  readonly name: string | null;
  /**
   * Revocation lists (parseRevocationList). When they are given, each certificate of the path must
   * be covered by a current one that its issuer signed.
   */
  readonly revocationLists?: readonly RevocationList[];
}

export interface Path {
  /** Leaf first, without the anchor. */
  readonly certificates: readonly Certificate[];
  readonly leaf: Certificate;
  /** The leaf's key. */
  readonly publicKey: PublicKey;
  /** The leaf itself when that is an anchor. */
  readonly anchor: Certificate;
}

/** Work: limits.ts; at most PATH_SIGNATURES_MAX signatures are checked. */
export function validatePath(options: PathOptions): Result<Path, PathFault> {
  assert((options.revocationLists?.length ?? 0) <= PATH_CRLS_MAX);
  if (options.chain.length > CHAIN_CERTIFICATES_MAX) {
    return err({ kind: 'too much work', certificate: CHAIN_CERTIFICATES_MAX });
  }
  const nodes: Node[] = [];
  for (const [index, raw] of options.chain.entries()) {
    const parsed = parseCertificate(raw);
    if (!parsed.ok) return err({ kind: 'malformed', certificate: index });
    nodes.push(nodeOf(parsed.value, index));
  }
  const [leaf] = nodes;
  if (leaf === undefined) return err({ kind: 'malformed', certificate: 0 });
  return new PathSearch(options, nodes).run(leaf);
}

/** A certificate on the way, and what was found out about it. */
interface Node {
  readonly certificate: Certificate;
  /** In the chain as given; null: an anchor. */
  readonly index: number | null;
  readonly isSelfIssued: boolean;
  key: PublicKey | 'weak key' | 'unsupported' | null;
  issuerKey: string | null;
  subjectKey: string | null;
}

const nodeOf = (certificate: Certificate, index: number | null): Node => ({
  certificate,
  index,
  isSelfIssued: sameBytes(certificate.issuer, certificate.subject),
  key: null,
  issuerKey: null,
  subjectKey: null,
});

class PathSearch {
  private readonly options: PathOptions;
  private readonly nodes: readonly Node[];
  private readonly anchorNodes = new Map<Certificate, Node>();
  private readonly verified = new Map<Node, Map<Node, boolean>>();
  /** The first that isn't 'unknown issuer': candidates are tried best first. */
  private fault: PathFault;
  private isExhausted = false;
  private steps = 0;
  private signatures = 0;
  private comparisons = 0;

  constructor(options: PathOptions, nodes: readonly Node[]) {
    this.options = options;
    this.nodes = nodes;
    this.fault = { kind: 'unknown issuer', certificate: 0 };
  }

  run(leaf: Node): Result<Path, PathFault> {
    const pinned = this.options.anchors.same(leaf.certificate);
    const found = pinned === null ? this.search([leaf]) : { path: [leaf], anchor: pinned };
    if (found === null) return err(this.fault);
    const wrong = this.checkLeaf(leaf);
    if (wrong !== null) return err({ kind: wrong, certificate: 0 });
    const { path, anchor } = found;
    const key = leaf.key;
    assert(key !== null && typeof key === 'object');
    const certificates = path.map(({ certificate }) => certificate);
    return ok({ certificates, leaf: leaf.certificate, publicKey: key, anchor });
  }

  /** Goes on from the last of `path`; null when no anchor can be reached. */
  private search(path: readonly Node[]): { path: readonly Node[]; anchor: Certificate } | null {
    const child = path[path.length - 1]!;
    for (const anchor of this.anchorsFor(child)) {
      if (this.mayIssue(anchor, path) && this.isUnrevoked([...path, anchor])) {
        return { path, anchor: anchor.certificate };
      }
      if (this.isExhausted) return null;
    }
    // The leaf isn't counted.
    if (path.length > PATH_INTERMEDIATES_MAX) return null;
    for (const issuer of this.issuersFor(child, path)) {
      if (this.mayIssue(issuer, path)) {
        const found = this.search([...path, issuer]);
        if (found !== null) return found;
      }
      if (this.isExhausted) return null;
    }
    return null;
  }

  private anchorsFor(child: Node): readonly Node[] {
    const found = this.options.anchors.withSubject(child.certificate.issuer);
    const nodes = found.map((certificate) => {
      const node = this.anchorNodes.get(certificate) ?? nodeOf(certificate, null);
      this.anchorNodes.set(certificate, node);
      return node;
    });
    return bestFirst(child, nodes);
  }

  private issuersFor(child: Node, path: readonly Node[]): readonly Node[] {
    const found = this.nodes.filter((node) => {
      if (node.index === 0 || !isIssuer(child, node)) return false;
      // RFC 4158 §2.4.1: the same name with the same key again is a loop.
      return !path.some((one) => isSameAuthority(one, node));
    });
    return bestFirst(child, found);
  }

  /** Whether `issuer` may be the next of `path`, its last being what it signed. */
  private mayIssue(issuer: Node, path: readonly Node[]): boolean {
    if (++this.steps > PATH_STEPS_MAX) return this.exhaust(issuer);
    const child = path[path.length - 1]!;
    const wrong =
      this.checkEach(issuer) ?? this.checkIssuer(issuer, path) ?? this.checkNames(issuer, path);
    if (wrong !== null) return this.refuse(wrong, issuer);
    const unsigned = this.checkSignature(child, issuer);
    return unsigned === null || this.refuse(unsigned, child);
  }

  /** What holds for every certificate (§6.1.3 (a) (2), §6.1.4 (o)). */
  private checkEach(node: Node): PathFaultKind | null {
    const { certificate } = node;
    if (certificate.version !== 3) return 'unsupported';
    if (certificate.extensions.unhandledCritical !== null) return 'unhandled critical extension';
    if (this.options.at < certificate.notBefore) return 'not yet valid';
    // Times of certificates are whole seconds, and the last one counts.
    if (this.options.at > certificate.notAfter + 999) return 'expired';
    const purposes = certificate.extensions.extendedKeyUsage;
    const isFit =
      purposes === null ||
      purposes.includes(oid[this.options.purpose]) ||
      purposes.includes(oid.anyExtendedKeyUsage);
    if (!isFit) return 'wrong purpose';
    node.key ??= this.importKey(certificate);
    return typeof node.key === 'string' ? node.key : null;
  }

  private importKey({ spki }: Certificate): PublicKey | 'weak key' | 'unsupported' {
    const key = this.options.crypto.importPublicKey(spki);
    if (key === null) return 'unsupported';
    const isRsa = key.type === 'RSA' || key.type === 'RSA-PSS';
    if (isRsa && key.bits < RSA_BITS_MIN) return 'weak key';
    return isRsa && key.bits > RSA_BITS_MAX ? 'unsupported' : key;
  }

  /** §6.1.4 (k) to (n), as seen from below. */
  private checkIssuer(issuer: Node, path: readonly Node[]): PathFaultKind | null {
    const { basicConstraints, keyUsage: usage } = issuer.certificate.extensions;
    if (basicConstraints?.ca !== true) return 'not a CA';
    if (usage !== null && !hasUsage(usage, keyUsage.keyCertSign)) return 'wrong key usage';
    const between = path.slice(1).filter((node) => !node.isSelfIssued).length;
    const { pathLength } = basicConstraints;
    return pathLength !== null && between > pathLength ? 'path too long' : null;
  }

  /** §6.1.3 (b), (c): all below but self-issued certificates, of which the leaf is none here. */
  private checkNames(issuer: Node, path: readonly Node[]): PathFaultKind | null {
    const constraints = issuer.certificate.extensions.nameConstraints;
    if (constraints === null) return null;
    const budget = (): boolean => {
      if (++this.comparisons <= PATH_COMPARISONS_MAX) return true;
      this.exhaust(issuer);
      return false;
    };
    for (const [i, node] of path.entries()) {
      if (i > 0 && node.isSelfIssued) continue;
      if (!allowsNames(constraints, node.certificate, budget)) return 'name constraint';
    }
    return null;
  }

  private checkSignature(child: Node, issuer: Node): PathFaultKind | null {
    const { algorithm, tbs, signature } = child.certificate;
    if (algorithm === 'weak') return 'weak signature';
    if (algorithm === 'unknown') return 'unsupported';
    const { key } = issuer;
    assert(key !== null && typeof key === 'object');
    const known = this.verified.get(child) ?? new Map<Node, boolean>();
    this.verified.set(child, known);
    let isSigned = known.get(issuer);
    if (isSigned === undefined) {
      if (++this.signatures > PATH_SIGNATURES_MAX) {
        this.exhaust(child);
        return 'too much work';
      }
      isSigned = key.verify(algorithm, tbs, signature);
      known.set(issuer, isSigned);
    }
    return isSigned ? null : 'bad signature';
  }

  /** §6.3; the last of `path` is the anchor. */
  private isUnrevoked(path: readonly Node[]): boolean {
    const { revocationLists, at } = this.options;
    if (revocationLists === undefined) return true;
    for (const [i, node] of path.slice(0, -1).entries()) {
      // The issuer, and the same authority with another key (§6.3.3 (f)).
      const signers = path.slice(i + 1).filter((one) => one === path[i + 1] || isIssuer(node, one));
      const verify = (list: RevocationList): boolean =>
        signers.some((signer) => this.isListOf(signer, list));
      const wrong = revocationOf(node.certificate, revocationLists, at, verify);
      if (wrong !== null) return this.refuse(wrong, node);
    }
    return true;
  }

  private isListOf(signer: Node, list: RevocationList): boolean {
    const { key, certificate } = signer;
    const { algorithm, tbs, signature } = list;
    const usage = certificate.extensions.keyUsage;
    const maySign = usage === null || hasUsage(usage, keyUsage.crlSign);
    if (!maySign || typeof algorithm === 'string') return false;
    if (++this.signatures > PATH_SIGNATURES_MAX) return this.exhaust(signer);
    assert(key !== null && typeof key === 'object');
    return key.verify(algorithm, tbs, signature);
  }

  /** What holds for the leaf, once it is known whose it is. */
  private checkLeaf(leaf: Node): PathFaultKind | null {
    const wrong = this.checkEach(leaf);
    if (wrong !== null) return wrong;
    const { extensions } = leaf.certificate;
    if (extensions.basicConstraints?.ca === true) return 'CA as leaf';
    // §4.2.1.10: "MUST be used only in a CA certificate".
    if (extensions.nameConstraints !== null) return 'name constraint';
    const usage = extensions.keyUsage;
    // §4.2.1.3: who may sign certificates is a CA.
    const isFit =
      usage === null ||
      (hasUsage(usage, keyUsage.digitalSignature) && !hasUsage(usage, keyUsage.keyCertSign));
    if (!isFit) return 'wrong key usage';
    const { name } = this.options;
    if (name === null || matchesHost(extensions.subjectAltNames ?? [], name)) return null;
    return 'name mismatch';
  }

  private refuse(kind: PathFaultKind, node: Node): false {
    const isFirst = this.fault.kind === 'unknown issuer';
    if (isFirst && !this.isExhausted) this.fault = { kind, certificate: node.index };
    return false;
  }

  private exhaust(node: Node): false {
    this.isExhausted = true;
    this.fault = { kind: 'too much work', certificate: node.index };
    return false;
  }
}

function isIssuer(child: Node, node: Node): boolean {
  if (sameBytes(child.certificate.issuer, node.certificate.subject)) return true;
  child.issuerKey ??= nameKey(child.certificate.issuer);
  node.subjectKey ??= nameKey(node.certificate.subject);
  return child.issuerKey === node.subjectKey;
}

const isSameAuthority = ({ certificate: a }: Node, { certificate: b }: Node): boolean =>
  sameBytes(a.spki, b.spki) && sameBytes(a.subject, b.subject);

/** Those whose key identifier isn't the one that `child` names come last (RFC 4158 §3.5.12). */
function bestFirst(child: Node, nodes: readonly Node[]): readonly Node[] {
  const wanted = child.certificate.extensions.authorityKeyId;
  if (wanted === null || nodes.length < 2) return nodes;
  const isOther = (node: Node): boolean => {
    const has = node.certificate.extensions.subjectKeyId;
    return has !== null && !sameBytes(has, wanted);
  };
  return [...nodes.filter((node) => !isOther(node)), ...nodes.filter(isOther)];
}
