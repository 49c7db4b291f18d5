// Hooks as the addon calls them: questions and answers in its form on one side, the
// user's functions, which may throw and may return promises, on the other. Whatever those
// do, the question is answered; nothing is thrown back into the addon.

import { IngressRequestBlockedError } from './errors.js';
import { nativeHeaderPatch } from './header-patch.js';
import type {
  IngressGatewayHooks, IngressHeaders, IngressHookRequest, IngressHookRequestPatch,
  IngressHookResponse, IngressHookResponsePatch,
} from './ingress.js';
import {
  native, type FlatHeaders, type NativeHooks, type NativeReply, type NativeRequest,
  type NativeResponse,
} from './native.js';
import { checkNames, checkObject, invalid } from './options.js';

const hookNames = new Set(['isAllowed', 'onRequest', 'onResponse']);

function toHeaders(flat: FlatHeaders): IngressHeaders {
  // Without a prototype, so that no name is special.
  const headers = Object.create(null) as IngressHeaders;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = (flat[i] as string).toLowerCase();
    const value = flat[i + 1] as string;
    const present = headers[name];
    if (present === undefined) headers[name] = value;
    else if (typeof present === 'string') headers[name] = [present, value];
    else present.push(value);
  }
  return headers;
}

function toRequest(request: NativeRequest): IngressHookRequest {
  return { ...request, headers: toHeaders(request.headers) };
}

function toResponse(response: NativeResponse): IngressHookResponse {
  return { ...response, headers: toHeaders(response.headers) };
}

function checkPatch(name: string, patch: unknown): void {
  if (typeof patch !== 'object') throw new TypeError(`${name} must return an object or nothing`);
}

function fromRequestPatch(patch: IngressHookRequestPatch | void): object | undefined {
  if (patch === undefined || patch === null) return undefined;
  checkPatch('onRequest', patch);
  return { ...patch, headers: nativeHeaderPatch('onRequest', patch.headers) };
}

function fromResponsePatch(patch: IngressHookResponsePatch | void): object | undefined {
  if (patch === undefined || patch === null) return undefined;
  checkPatch('onResponse', patch);
  const body = typeof patch.body === 'string' ? Buffer.from(patch.body) : patch.body;
  return { ...patch, body, headers: nativeHeaderPatch('onResponse', patch.headers) };
}

function refuse(reply: NativeReply, error: unknown): void {
  if (error instanceof IngressRequestBlockedError) {
    const { message, statusCode, statusMessage, body } = error;
    native.replyBlock(reply, { message, statusCode, statusMessage, body });
  } else {
    native.replyFail(reply, String(error));
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | undefined)?.then === 'function';
}

/** Answers `reply` with what `encode` makes of what `hook` returns, now or later. */
function answer<T>(
  reply: NativeReply, hook: () => T | Promise<T>, encode: (value: T) => unknown,
): void {
  const settle = (value: T): void => {
    try {
      native.replyAnswer(reply, encode(value));
    } catch (error) {
      refuse(reply, error);
    }
  };
  try {
    const value = hook();
    if (isPromise(value)) {
      value.then(settle, (error: unknown) => refuse(reply, error));
    } else {
      settle(value);
    }
  } catch (error) {
    refuse(reply, error);
  }
}

/**
 * `hooks` as the addon wants them.
 * @internal
 */
export function nativeHooks(hooks: IngressGatewayHooks): NativeHooks {
  checkObject('hooks', hooks);
  checkNames('hooks', hooks, hookNames);
  for (const [name, hook] of Object.entries(hooks)) {
    if (hook !== undefined && typeof hook !== 'function') {
      throw invalid(`hooks.${name} must be a function`);
    }
  }
  const { isAllowed, onRequest, onResponse } = hooks;
  const converted: NativeHooks = {};
  if (isAllowed) {
    converted.isAllowed = (request, reply) => {
      const { clientIp, method, path, route } = request;
      const info = { clientIp, method, path, headers: toHeaders(request.headers), route };
      answer(reply, () => isAllowed.call(hooks, info), Boolean);
    };
  }
  if (onRequest) {
    converted.onRequest = (request, reply) =>
      answer(reply, () => onRequest.call(hooks, toRequest(request)), fromRequestPatch);
  }
  if (onResponse) {
    converted.onResponse = (response, request, reply) =>
      answer(reply, () => onResponse.call(hooks, toResponse(response), toRequest(request)),
        fromResponsePatch);
  }
  return converted;
}
