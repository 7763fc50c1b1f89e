/** The conformance suite for NetDevice in a process with two links on one wire. */

import { launch } from '#targets/process/index';
import { netConformance } from '../../helpers/net-conformance.ts';

launch(netConformance);
