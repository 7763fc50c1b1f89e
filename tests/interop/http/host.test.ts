import { readSite, serveSite } from './host-server.ts';
import { httpSuite, siteDirectory } from './http-suite.ts';

const site = readSite(siteDirectory);

httpSuite('HTTP on host sockets', (limits) => serveSite(site, limits));
