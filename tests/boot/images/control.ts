/** Serves its control channel. */

import { launch } from '#targets/pvh/index';
import { controlProgram } from '../../helpers/control-program.ts';

launch(controlProgram);
