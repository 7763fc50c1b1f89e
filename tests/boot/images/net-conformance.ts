/** The conformance suite for NetDevice in an image with two network cards on one wire. */

import { launch } from '#targets/pvh/index';
import { netConformance } from '../../helpers/net-conformance.ts';

launch(netConformance);
