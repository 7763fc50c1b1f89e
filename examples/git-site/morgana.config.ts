import { arg, defineUnikernel, disk, net, store } from 'morgana/config';

const kept = disk({ optional: true });

export default defineUnikernel({
  name: 'git-site',
  main: './main.ts',
  devices: { stack: net.stack(), kept, repository: store.on(kept) },
  args: {
    port: arg.port({ default: 80, doc: 'TCP port of the website' }),
    remote: arg.string({ doc: 'the repository, as https://git.example/site' }),
    branch: arg.string({ default: 'main', doc: 'the branch that is shown' }),
    secret: arg.string({ doc: 'what signs the webhook, POST /webhook, as GitHub does' }),
  },
});
