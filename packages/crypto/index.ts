export { constantTimeEqual, wipe } from './secrets.ts';
