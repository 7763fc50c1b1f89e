/** Serves its control channel. */

import { launch } from '#targets/process/index';
import { controlProgram } from '../../helpers/control-program.ts';

launch(controlProgram);
