package certauth

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// Exclusion names one kind of request that needs no certificate: one method and one path,
// compared exactly as the client sent them. There are no prefixes, wildcards or patterns, and
// only method and path count. A path with an escape, a dot segment, a double slash, or a character
// other than letters, digits and -_.~$&+,=:@ is never excluded, nor is an absolute-form or CONNECT
// request, nor a path that was rewritten before this middleware saw it.
//
// An excluded request has no identity, even if it carries a certificate, and the certificate
// headers are removed from it. Prefer wrapping the routes that need a certificate to excluding
// those that do not, except behind a front end that makes a tunnel of the connection before it knows
// the answer, as Varnish, and Apache before 2.4.47, do for WebSocket: only Handler closes it (section
// "Upgrade" of package forwarded).
//
// Middleware behind Handler that gives a request another method or path, such as that of
// X-HTTP-Method-Override or X-Original-URL, lets an excluded request reach every route. Put it outside
// of Handler, where the new method and path are judged.
//
// What must be true of your infrastructure: the request reaches this process. On App Service with
// clientCertMode=Required the front end itself answers 403 to outside callers without a
// certificate. clientCertExclusionPaths permits a path to outside callers, but by prefix
// ("/health" also permits "/healthz"), and makes the front end request certificates by
// renegotiation: no TLS 1.3, no HTTP/2, no body over 100 KB.
type Exclusion struct {
	// Method is the method; empty means GET. An exclusion for GET also applies to HEAD. For gRPC
	// and Connect the method is POST.
	Method string

	// Path is the exact path, such as "/health". Required.
	Path string

	// Reason says why the request needs no certificate. Required: it is logged at start and read
	// in reviews.
	Reason string

	// Control says why the exclusion is safe ("returns no data"). Required.
	Control string

	// AppServiceHealth excludes only the health probe of Azure App Service itself. On
	// Windows plans the platform sends the header x-ms-auth-internal-token: the base64 of
	// the SHA-256 of the environment variable WEBSITE_AUTH_ENCRYPTION_KEY, which New
	// reads. An empty variable is an error of New. Linux plans send no token, so there the
	// probe is refused; leave this false.
	//
	// A request without exactly this token is judged like any other. The comparison takes
	// constant time.
	AppServiceHealth bool
}

type exclusion struct {
	Exclusion
	token *healthToken // nil if none is required
}

func compileExclusions(list []Exclusion) ([]exclusion, []error) {
	var compiled []exclusion
	var mistakes []error
	seen := map[string]bool{}
	for i, x := range list {
		at := fmt.Sprintf("Exclusions[%d]", i)
		report := func(field string, err error) {
			if err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s.%s: %w", at, field, err))
			}
		}
		if x.Method == "" {
			x.Method = http.MethodGet
		}
		report("Method", checkExclusionMethod(x.Method))
		report("Path", checkExclusionPath(x.Path))
		if strings.TrimSpace(x.Reason) == "" {
			report("Reason", errors.New("empty; say why this needs no certificate"))
		}
		if strings.TrimSpace(x.Control) == "" {
			report("Control", errors.New("empty; say what keeps it safe"))
		}
		one := exclusion{Exclusion: x}
		if x.AppServiceHealth {
			token, err := newHealthToken()
			report("AppServiceHealth", err)
			one.token = token
		}
		key := x.Method + " " + x.Path
		if seen[key] {
			report("Path", fmt.Errorf("%s is excluded twice", quote(key)))
		}
		seen[key] = true
		compiled = append(compiled, one)
	}
	return compiled, mistakes
}

func checkExclusionMethod(method string) error {
	if strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || strings.Trim(method, "-") != method {
		return fmt.Errorf("%s is not a method in upper case; patterns are not supported", quote(method))
	}
	switch method {
	case http.MethodConnect:
		return errors.New("CONNECT cannot be excluded")
	case "PRI": // reserved (RFC 9113, section 11.6)
		return errors.New("PRI is the HTTP/2 preface, not a method")
	case "ANY", "ALL": // what some routers call it
		return fmt.Errorf("%s is not a method; write one Exclusion for each method", method)
	}
	return nil
}

func checkExclusionPath(p string) error {
	switch {
	case strings.Contains(p, " /"):
		return fmt.Errorf("%s does not start with a slash; the method has a field of its own", quote(p))
	case !strings.HasPrefix(p, "/"):
		return fmt.Errorf("%s does not start with a slash", quote(p))
	case path.Clean(p) != p:
		return fmt.Errorf("%s is not clean, want %s", quote(p), quote(path.Clean(p)))
	case !isPlainPath(p):
		return fmt.Errorf("%s contains a character of a pattern, an escape or a separator, so it would never match", quote(p))
	}
	return nil
}

// isPlainPath accepts paths that every server, proxy and router interprets in the same way.
func isPlainPath(p string) bool {
	for i := range len(p) {
		if !san.IsAlphanumeric(p[i]) && strings.IndexByte("/-_.~$&+,=:@", p[i]) < 0 {
			return false
		}
	}
	return true
}

// excluded returns the exclusion that applies, or nil.
func (a *Authenticator) excluded(r *http.Request) *exclusion {
	for i := range a.exclusions {
		if x := &a.exclusions[i]; x.matches(r) {
			return x
		}
	}
	return nil
}

// matches compares the decoded path and the request target. Only if both are the same text do all
// routers agree on what is served.
func (x *exclusion) matches(r *http.Request) bool {
	if !x.hasMethod(r.Method) {
		return false
	}
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if target != x.Path || r.URL == nil || r.URL.Path != x.Path || r.URL.RawPath != "" || r.URL.Opaque != "" || r.URL.Host != "" {
		return false
	}
	return x.token == nil || x.token.holds(r)
}

func (x *exclusion) hasMethod(method string) bool {
	return method == x.Method || method == http.MethodHead && x.Method == http.MethodGet
}

// String returns method and path.
func (x *exclusion) String() string { return x.Method + " " + x.Path }

func (x *exclusion) describe(p *printer) {
	p.line("excluded: %s (reason: %s; control: %s)", x, quote(x.Reason), quote(x.Control))
	if x.token != nil {
		p.indent++
		p.line("only with the App Service health token")
		p.indent--
	}
}
