package certauth

import "net/http"

// Admit does everything that [Authenticator.Handler] does before it calls the handler. It is for
// interceptors and frameworks that have no http.Handler to wrap. It applies Exclusions, judges
// the certificate, applies Optional and InsecureReportOnly, reports to Logger and Observe, and
// removes the source's headers from r: r.Header becomes another map without them, and the map
// that r had is not written to. It returns the request to continue with, whose context has the
// identity ([FromContext]) of an accepted caller. An excluded request, and an anonymous one under
// Config.Optional, has none.
//
// If it returns an error, which is an [*Error], the request must not be served. Admit writes
// nothing and does not call Config.Deny; answer 401 (in gRPC, UNAUTHENTICATED) and show the
// client nothing of the error. A panic in a source, policy or hook is an error too.
//
// Close the connection after a request with an Upgrade header whose protocol is not changed, after
// CONNECT over HTTP/1 and after HTTP/1.0, as Handler does.
//
// Continue with the returned request and its context, never with r: r has no identity, or that of
// an outer Authenticator, and may receive the source's headers as trailers. If the source reads
// headers, the returned request has no trailers; Handler passes them on. If its multipart form is parsed,
// call MultipartForm.RemoveAll at the end: net/http removes only the files of the form of its own request.
//
// An interceptor that demands more for some methods, as [Authenticator.Require] does for routes,
// compares [Identity.Matched] with the role that a method needs; [Named] assigns roles. For a
// known caller without the role, gRPC has PERMISSION_DENIED.
//
// If there is no [http.Request], make one: with the context of the call, its metadata as Header
// under canonical names, its method, its path as URL.Path and, for Exclusions, as RequestURI, and
// TLS and RemoteAddr of its peer. A gate on the socket, such as forwarded.Peers, refuses such a
// request unless [ConnContext] has stored the connection in its context; forwarded.AppService
// needs no connection.
//
// Admit is safe for concurrent use with different requests.
func (a *Authenticator) Admit(r *http.Request) (*http.Request, error) {
	if r == nil {
		return nil, refusal(ReasonInternalError, "", "the request is nil")
	}
	admitted, refused := a.admission(r, false)
	if refused != nil {
		return nil, refused
	}
	// It is not known when the handler has returned, and trailers must not be copied after that.
	if body, ok := admitted.Body.(*trailerBody); ok && admitted.Body != r.Body {
		admitted.Body = body.ReadCloser
	}
	if admitted != r && len(a.headers.names) > 0 {
		admitted.Trailer = nil
	}
	return admitted, nil
}
