/*
 * The event loop of targets/base/base.ts's onTurn, and the end that unhandled errors bring: a
 * message, the stack, BASE_EXIT_UNCAUGHT.
 */
#include "engine.h"
#include <math.h>

static JSValue turn;
static bool has_turn;

/* Promises rejected with nobody listening yet; whoever is left after a turn's jobs is reported. */
static struct rejection {
    JSValue promise, reason;
} *rejections;
static uint32_t rejection_count;

static void print_value(JSContext *ctx, JSValueConst value) {
    size_t bytes;
    const char *text = JS_ToCStringLen(ctx, &bytes, value);
    if (text == NULL) {
        JS_FreeValue(ctx, JS_GetException(ctx));
        console_text("(no text)");
        return;
    }
    console_write(text, bytes);
    JS_FreeCString(ctx, text);
}

static _Noreturn void end_with(JSContext *ctx, const char *what, JSValueConst error) {
    console_text(what);
    print_value(ctx, error);
    console_text("\n");
    JSValue stack = JS_IsObject(error) ? JS_GetPropertyStr(ctx, error, "stack") : JS_UNDEFINED;
    if (JS_IsString(stack)) print_value(ctx, stack);
    machine_exit(BASE_EXIT_UNCAUGHT);
}

_Noreturn void engine_uncaught(JSContext *ctx) {
    end_with(ctx, "Uncaught ", JS_GetException(ctx));
}

static void forget_rejection(JSContext *ctx, uint32_t index) {
    JS_FreeValue(ctx, rejections[index].promise);
    JS_FreeValue(ctx, rejections[index].reason);
    rejections[index] = rejections[--rejection_count];
}

static void on_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason,
                         JS_BOOL handled, void *opaque) {
    (void)opaque;
    if (!handled) {
        size_t bytes = (rejection_count + 1) * sizeof(*rejections);
        struct rejection *grown = heap_reallocate(rejections, bytes);
        if (grown == NULL) end_with(ctx, "Unhandled rejection: ", reason);
        rejections = grown;
        rejections[rejection_count].promise = JS_DupValue(ctx, promise);
        rejections[rejection_count++].reason = JS_DupValue(ctx, reason);
        return;
    }
    for (uint32_t i = 0; i < rejection_count; i++) {
        if (JS_VALUE_GET_PTR(rejections[i].promise) == JS_VALUE_GET_PTR(promise)) {
            forget_rejection(ctx, i);
            return;
        }
    }
}

static void run_jobs(JSContext *ctx) {
    JSContext *job_context;
    int status;
    while ((status = JS_ExecutePendingJob(JS_GetRuntime(ctx), &job_context)) > 0) continue;
    if (status < 0) engine_uncaught(job_context);
    if (rejection_count != 0) end_with(ctx, "Unhandled rejection: ", rejections[0].reason);
}

/* Garbage in cycles is collected at the latest when the heap is three quarters full. */
static void bound_garbage(JSContext *ctx) {
    JSRuntime *rt = JS_GetRuntime(ctx);
    size_t most = heap.total_bytes / 4 * 3;
    if (engine_gc_threshold(rt) > most && engine_heap_used(rt) < most) JS_SetGCThreshold(rt, most);
}

void engine_loop(JSContext *ctx) {
    run_jobs(ctx);
    uint32_t woken = 0;
    while (has_turn) {
        JSValue argument = VALUE(woken);
        JSValue running = JS_DupValue(ctx, turn); /* It may register another meanwhile. */
        JSValue result = JS_Call(ctx, running, JS_UNDEFINED, 1, &argument);
        JS_FreeValue(ctx, running);
        if (JS_IsException(result)) engine_uncaught(ctx);
        run_jobs(ctx);
        bound_garbage(ctx);
        double deadline;
        if (JS_ToFloat64(ctx, &deadline, result) != 0 || isnan(deadline)) {
            panic("a turn returned neither -1 nor a deadline");
        }
        /* Without a wait, too, interrupts come in: -1 and what has passed already. */
        bool late = deadline < 0 || deadline <= (double)clock_monotonic_us();
        if (late) woken = interrupts_poll();
        else woken = idle_until(deadline > 9e15 ? UINT64_MAX : (uint64_t)ceil(deadline));
    }
}

static JSValue on_turn(ARGUMENTS) {
    if (!JS_IsFunction(ctx, argv[0])) return JS_ThrowTypeError(ctx, "onTurn needs a function");
    if (has_turn) JS_FreeValue(ctx, turn);
    has_turn = true;
    turn = JS_DupValue(ctx, argv[0]);
    return JS_UNDEFINED;
}

void engine_loop_install(JSContext *ctx, JSValueConst base) {
    JSRuntime *rt = JS_GetRuntime(ctx);
    JS_SetGCThreshold(rt, heap.total_bytes / 2);
    JS_SetHostPromiseRejectionTracker(rt, on_rejection, NULL);
    JS_SetPropertyStr(ctx, base, "onTurn", JS_NewCFunction(ctx, on_turn, "onTurn", 1));
}
