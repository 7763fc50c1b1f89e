#include "engine.h"
void engine_install_hot(JSContext *ctx, JSValueConst base) { JS_SetPropertyStr(ctx, base, "hot", JS_NewObject(ctx)); }
