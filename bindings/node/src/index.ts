/**
 * Gondolin: throw-away micro-VMs for code you do not trust, with their web servers open in
 * your browser.
 *
 * @packageDocumentation
 */

export { type DebugLogFn, type DebugSettings, type DebugTopic } from './debug.js';
export { GondolinError, IngressRequestBlockedError, type GondolinErrorCode } from './errors.js';
export { openGateway, type Gateway, type GatewayOptions } from './gateway.js';
export type {
  EnableIngressOptions, IngressAccess, IngressAllowInfo, IngressGatewayHooks, IngressHeaderPatch,
  IngressHeaders, IngressHeaderValue, IngressHookRequest, IngressHookRequestPatch,
  IngressHookResponse, IngressHookResponsePatch, IngressRoute,
} from './ingress.js';
