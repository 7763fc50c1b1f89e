/** Help texts, written by hand; tests/cli/help.test.ts keeps them in step with the flag tables. */

export const HELP = `morgana: TypeScript unikernels

  morgana new DIR       start an application
  morgana dev [APP]     run it on this machine, and again on every change
  morgana build [APP]   make a bootable image
  morgana run [APP]     boot it as a virtual machine
  morgana compose WORD  several unikernels and their networks: up, down, ps, logs
  morgana inspect       what a running unikernel does: connections, drops, CPU, frames
  morgana switch        a network of virtual machines and processes, without root
  morgana store         Git for application data: set, get, log, merge, serve
  morgana cert          certificates for development, from a CA of your own
  morgana describe      what is in an image, why, and what it costs

APP is a directory of files (a website), a module that exports { fetch }, or a directory
with morgana.config.ts; the current directory when left out.
Each verb has --help; --version says which morgana this is. Exit codes: 0 done, 1 wrong usage,
2 failed; run: the image's own.
`;

export const VERB_HELP = {
  new: `morgana new DIR [--template=static|handler|devices]

Writes a small application into DIR, which must be empty or not exist.

  --template=static     a website: files in htdocs/ (the default)
  --template=handler    app.ts, which exports { fetch(request) }
  --template=devices    morgana.config.ts and main.ts: a graph of devices
`,
  dev: `morgana dev [APP] [flags] [-- boot-time arguments]

Runs APP, builds it again on every change of a file that it is made of, and puts the change into
what runs: open connections go on. A website's files always change in place; a module or graph
does when its main module exports reload(previous); else all is started again, and dev says why.
While a change has errors they are shown and the old version keeps serving.

  --target=node         a process on this machine's sockets (the default)
  --target=process      a Linux process on --network or --link
  --target=pvh          a virtual machine
  --port=PORT           port of this machine, 1 to 65535 (default 8080); not with --link
  --network=NAME        joins a network of this machine, as of "morgana run"; may be repeated
  --allow-host          as of "morgana run"
  --publish=HOST:IMAGE  another port, as of "morgana run"; may be repeated
  --net=host|direct     node: its sockets (the default), or our own TCP/IP on --link
  --tls                 HTTPS on --port, as of "morgana run"
  --tls-files=DIR       as of "morgana build", as are:
  --acme
  --ca=FILE|system|none
  --link=LINK           an Ethernet interface, as of "morgana run"; may be repeated
  --disk=NAME=FILE      a disk, as of "morgana run"; may be repeated
  --memory=MIB          memory of the machine, 3 to 4096 (default 32)
  --machine=microvm|q35 pvh: as of "morgana run"
  --accelerator=kvm|tcg pvh: as of "morgana run"
  --name=NAME           what others call it, as of "morgana run"
`,
  build: `morgana build [APP] [--target=pvh|process|node] [--net=direct] [--output=FILE] [--json]

Checks the types of APP, links it with the libraries that it uses, and writes the image.
The same inputs give the same bytes.

  --target=pvh          a bootable image: QEMU, Firecracker, Cloud Hypervisor, Xen (the default)
  --target=process      a Linux program without privileges: FILE --link=tap:NAME
  --target=node         a module that Node runs: node FILE
  --net=host|direct     node: this machine's sockets (the default), or our own TCP/IP:
                        node FILE --link=LINK... -- boot-time arguments
  --inspect=on|off      whether "morgana inspect" can look into it, for some 20 KB (default on)
  --management          a website or handler has a management port, off unless turned on at boot
  --tls                 a website or handler over HTTPS; a graph declares tls.server itself
  --tls-files=DIR       its certificates and keys, PEM files, linked into the image
  --acme                its certificate may come from an authority: boot-time argument --acme=URL
  --ca=FILE|system|none whom it trusts itself: fetch of https, names and syslog over TLS
  --output=FILE         where to write it (default NAME.img, NAME.elf or NAME.mjs)
  --json                print bytes by part as JSON
`,
  run: `morgana run [APP] [flags] [-- boot-time arguments]

Builds APP, or takes an image that build wrote, and boots it in QEMU. The serial console is
stdout, the image's exit code is this command's; Ctrl-C stops the machine.
"morgana run APP -- --help" prints the boot-time arguments.

  --target=pvh          a virtual machine (the default)
  --target=process      a Linux process that can do nothing but use its links and disks
  --target=node         a Node process
  --net=host|direct     node: its sockets (the default), or our own TCP/IP on --link
  --network=NAME        joins the network of that name, or starts it: all that are on it reach each
                        other, on any target; --publish goes through it. May be repeated, an
                        interface each. "morgana switch --help" tells more
  --allow-host          on --network: it reaches what listens on this machine's loopback, as
                        host.internal. Counts when the network starts
  --link=LINK           pvh, process, --net=direct: an Ethernet interface, as tap:NAME (a tap
                        device that exists), unix:PATH or unix-listen:PATH (a stream socket);
                        may be repeated. On pvh in place of QEMU's user networking
  --disk=NAME=FILE      the disk that the application declares under NAME; may be repeated.
                        FILE,size=64M makes the file if there is none; FILE,readonly
  --publish=HOST:IMAGE  forwards a port of 127.0.0.1, as 8080:80; may be repeated
                        also ADDRESS:HOST:IMAGE and HOST:IMAGE/udp
  --memory=MIB          memory of the machine, 3 to 4096 (default 16)
  --machine=microvm|q35 kind of machine: virtio over MMIO (the default) or over PCI
  --accelerator=kvm|tcg hardware virtualisation or emulation (default: kvm where it works)
  --name=NAME           what it is called while it runs: a-z, 0-9 and '-' (default: as APP, or
                        APP-2 and so on when that is taken)
  --tls                 HTTPS, as of "morgana build"; without a certificate (files, boot-time
                        arguments) that of the development CA: see "morgana cert". A website or
                        handler is then published at 8443, and plain HTTP at 8080 leads there
  --inspect=on|off      as of "morgana build", as are:
  --management
  --tls-files=DIR
  --acme
  --ca=FILE|system|none
  --keep-image=FILE     leaves the built image at FILE
`,
  compose: `morgana compose up [--file=FILE] [--detach]
morgana compose down [--file=FILE|--project=NAME]
morgana compose ps [--file=FILE|--project=NAME] [--json]
morgana compose logs [NAME...] [--file=FILE|--project=NAME] [--follow] [--tail=N]

Runs the unikernels of a morgana.compose.ts together, on networks of their own. "up" builds and
starts them in the order that the file says, waits until they are healthy, and shows what they
say; Ctrl-C takes all down, a second one at once. The others ask, also from another terminal:
"ps" how each is, "logs" what they said.

  --file=FILE           the file (default morgana.compose.ts here)
  --project=NAME        a project that is up, by its name, in place of its file
  --detach              up: leaves it running in the background once all is up
  --follow              logs: goes on with what they say from now on
  --tail=N              logs: the last N lines of each
  --json                ps: for programs
`,
  inspect: `morgana inspect [NAME|unix:SOCKET|HOST:PORT] [flags]

Looks into a running unikernel, and refreshes what it shows until Ctrl-C: event loop, heap, TCP
connections by traffic, neighbours, routes, leases, and every dropped packet by its reason. NAME
is that of "morgana run" (left out when only one runs); HOST:PORT is a management port.

  --json                one snapshot for programs
  --once                one look as text, as when stdout is no terminal
  --connections=COUNT   ask for at most so many, 1 to 100000 (default 200)
  --interval=SECONDS    between two looks, 1 to 60 (default 1)
  --log=LEVELS          set log levels, as of the boot-time argument: warn,stack:debug
  --follow              print log lines as they come, until Ctrl-C
  --profile=SECONDS     take a CPU profile by function, 1 to 600
  --output=FILE         where to: .json for speedscope, .cpuprofile for Chrome
  --pcap=FILE           capture frames until Ctrl-C; - is stdout: --pcap=- | wireshark -k -i -
  --port=PORT           with --pcap: TCP and UDP of this port only (default 0: all)
  --snap-bytes=BYTES    with --pcap: of each frame, 1 to 65550 (default 0: all)
  --interface=NUMBER    with --pcap: of several interfaces (default 0)
  --reload-certificates reads certificates and keys again; open connections go on
  --token-file=FILE     with HOST:PORT: the file with the token of the management port
`,
  switch: `morgana switch --socket=PATH [flags]
morgana switch --network=NAME [flags]
morgana switch --network=NAME --status [--json]

A network on this machine: an Ethernet switch on a UNIX socket, until Ctrl-C. Every connection is
a port: --link=unix:PATH of "morgana run", QEMU's -netdev stream. "morgana run --network=NAME"
joins a network, and starts one without these flags when it doesn't run.

  --socket=PATH         where ports are plugged in
  --network=NAME        in place of --socket: a network that "morgana run --network=NAME" finds;
                        exit code 75 when it runs already
  --gateway=NETWORK|off gives addresses (DHCP) and names (DNS), and leads to this machine's network;
                        as 10.77.0.0/24 (the default depends on the name)
  --publish=HOST:NAME:PORT  leads a port of 127.0.0.1 to one of a unikernel, as 8080:web:80; may be
                        repeated; also ADDRESS:HOST:NAME:PORT and HOST:NAME:PORT/udp
  --lease=MAC=ADDRESS   the address that DHCP always gives that station; may be repeated
  --allow-host          unikernels reach what listens on this machine's loopback, as host.internal
  --pcap=FILE           writes all that passes to FILE, or stdout (-), for Wireshark and tcpdump
  --loss=PERCENT        drops so many frames (default 0)
  --delay=MS            delays each frame so long (default 0)
  --jitter=MS           and up to so much longer, in order (default 0)
  --rate=MBIT           so many megabits a second to each port (default 0: as fast as it can)
  --seed=NUMBER         of the chance behind loss and jitter (default 1)
  --linger=SECONDS      ends when nobody was on it for so long (default 0: stays)
  --status              prints who is on the network, and counters by port and reason
  --json                the same for programs
`,
  store: `morgana store WORD [...] [--root=DIR] [--branch=NAME] [--json] [flags] [-- VALUE]

A store in DIR is a Git repository without a work tree: "git log", "git clone" and "git fsck" read
it, and what Git writes is here. A path is a/b/c; a revision is a branch, a tag, HEAD, a commit's
id or its beginning. Every change is one commit; what changes nothing makes none.

  init                  makes a store in DIR, which must be empty or not exist
  get PATH              writes the contents to stdout as they are
  set PATH VALUE        sets contents; or --file=FILE; after -- VALUE may begin with -
  remove PATH           removes contents, or a tree
  list [PATH]           FILE and DIR, one a line
  tree [PATH]           everything below, indented
  branches              each with its head; * is HEAD's
  log [PATH]            the branch's commits, or those that changed what is at PATH
  diff [FROM] [TO]      + added, - removed, * changed; one revision: against its first parent
  merge REVISION        into the branch; conflicts are listed, and nothing changes
  revert REVISION       a commit that undoes that one
  watch [PATH]          as diff, for each change as it comes, until Ctrl-C
  clone URL             into DIR: http://, https://, git://, file:// or a directory; so are
  pull [URL]            the branch, and merge it; where it was cloned from unless given
  push [URL]            the branch; what would lose commits there is refused
  export FILE           all branches and tags as a bundle of Git's
  import FILE           a bundle: makes its branches, moves ours where nothing is lost
  gc                    packs what branches and tags lead to, removes what nothing has for 14 days
  check                 that every object is whole, and what it names there, as "git fsck"
  serve                 over HTTP on 127.0.0.1, for "git clone", until Ctrl-C
  graph                 the history of all branches for Graphviz' dot

  --root=DIR            the store's directory (default: here)
  --branch=NAME         the branch (default main)
  --json                for programs
  --message=TEXT        of the commit (default: as "set a/b")
  --author=TEXT         of the commit, "Ada <ada@example.org>" (default: as Git's)
  --file=FILE           set: the value; - is stdin
  --count=N             log, graph: at most so many commits; watch: ends after so many changes
  --reset               revert: move the branch back to REVISION, without a commit
  --keep-both           merge, pull: where sides conflict keep both, one beside the other
  --port=PORT           serve: 0 to 65535, 0 is a free one (default 0)
  --push                serve: "git push" from this machine is taken
  --object-format=sha1|sha256
                        init, clone: the hash that names objects (default sha1)
`,
  cert: `morgana cert [NAME...] [flags]

Makes a certificate for development: for host names ("*.example.test" too) and IP addresses, as
NAME.pem and NAME-key.pem, named by the first of them. It is issued by a CA of your own, which is
made the first time; browsers and curl trust it once you tell them to. Without a NAME: where that
CA is.

  --out=DIR             where to (default: the current directory)
  --ca=DIR              the CA's directory, whose key only you may read (default
                        $MORGANA_CA_DIR, or ~/.local/share/morgana/ca)
  --days=COUNT          how long it is valid, 1 to 825 (default 365)
  --key=TYPE            P-256 (the default), P-384, Ed25519 or RSA-2048
  --for=server|client|both  who shows it (default server)
  --json                for programs
`,
  describe: `morgana describe [APP] [--target=pvh|process|node] [--net=direct] [--json|--dot|--html=FILE]
morgana describe --diff A B [--json]

Prints the devices of APP, its packages with their bytes and lines, its boot-time arguments,
what it may touch (ports, disks), and the bytes of its image. APP may be an image.

  --target=TARGET       what to build APP for (default pvh)
  --net=host|direct     of target node, as of "morgana build"
  --inspect=on|off      as of "morgana build", as are:
  --management
  --tls
  --tls-files=DIR
  --acme
  --ca=FILE|system|none
  --json                for programs
  --dot                 the graph of devices, for Graphviz
  --html=FILE           a page with the graph, and the image drawn to scale
  --diff                compares A with B: applications, images or files from --json
`,
} as const;
