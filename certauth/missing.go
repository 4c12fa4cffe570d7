package certauth

import (
	"context"
	"net/http"
	"strings"
)

// whyMissing returns a hint for a missing certificate whose cause is within this process, or "".
func (a *Authenticator) whyMissing(r *http.Request, refused *Error) string {
	if !refused.absent {
		return ""
	}
	if a.outer(r.Context()) != nil {
		return "a Handler further out has let the request through and removed the header: use one Handler for a request, and Require for a route that demands more"
	}
	for i := range a.exclusions {
		if why := a.exclusions[i].failing(r); why != "" {
			return "an Exclusion has this path, but " + why
		}
	}
	if r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0 {
		return "a browser sends no certificate with a CORS preflight: add an Exclusion for OPTIONS and this path, or let CORS middleware outside of Handler answer it"
	}
	for i := range a.exclusions {
		if why := a.exclusions[i].missed(r); why != "" {
			return why
		}
	}
	return ""
}

// outer returns the caller, or nobody, whom a Handler further out has let through, if that one has removed
// the headers which this one reads; otherwise nil.
func (a *Authenticator) outer(ctx context.Context) *Identity {
	id, _ := ctx.Value(identityKey{a}).(*Identity)
	return id
}

// failing says why the exclusion does not match although it has the request's method and path;
// otherwise it returns "".
func (x *exclusion) failing(r *http.Request) string {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case x.matches(r) || !x.hasMethod(r.Method) || r.URL == nil || target != x.Path && r.URL.Path != x.Path:
		return ""
	case x.token != nil && target == r.URL.Path:
		return "it requires the App Service health token, which the request does not have: Linux plans send none, so leave AppServiceHealth false there"
	}
	return "the path was escaped, or rewritten before this middleware: put Handler outside of what rewrites it, and exclude the path that the client sends"
}

// missed says why the exclusion does not match although it is for this path with another method, or for another spelling
// of it; otherwise it returns "".
func (x *exclusion) missed(r *http.Request) string {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case target == x.Path && !x.hasMethod(r.Method):
		return "the Exclusion " + x.String() + " is not for the method of this request: a probe that sends it needs an entry of its own"
	case target != x.Path && x.hasMethod(r.Method) && strings.EqualFold(strings.TrimSuffix(target, "/"), strings.TrimSuffix(x.Path, "/")):
		return "the Exclusion " + x.String() + " is not for this spelling of the path: letter case and a slash at the end count; exclude the path that the probe requests"
	}
	return ""
}
