package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Authenticator judges requests by a document that may change while the service runs. Each request is
// judged entirely by one document, the one that was active when the request arrived, and so are those that
// a handler makes out of it.
//
// While requests arrive, it checks the document and everything that was read with it (certificates and
// secrets by reference, fixtures of cases) for changes, in the background and at most once per
// reloadInterval of the document, by default 30 seconds. After twice that time without a check, the
// next request waits for one, for at most a second from its beginning. Material that the policy
// itself reads again, such as a PEMFile, is reloaded as certauth.New documents.
//
// A new document becomes active if it has no mistake and all of its cases pass. Otherwise the last
// good document stays active, whatever happened to the file, also if a check hangs for more than
// a minute, as on a network share that is gone. A PEMFile that was changed together with a refused
// document is in use nevertheless, under the last good one: if only the new document is safe with
// it, give the new file another name. A revocation check whose settings did not change keeps
// everything that it remembers; for the lists of another one, a new document waits up to ten seconds
// before it becomes active.
//
// Logger and Observe are informed: the outcome is "reloaded" for a document that became active and
// "kept" otherwise, and the rule is the document's path. The records have the SHA-256 of the active
// document as in_use, and there is one at start. A failure that persists is reported again every hour.
//
// It is safe for concurrent use.
type Authenticator struct {
	path    string
	code    certauth.Config
	current atomic.Pointer[generation]
	looked  atomic.Int64 // time of the last look in UnixNano
	looking atomic.Pointer[look]
	hung    atomic.Int64 // time of the last report of a hanging look in UnixNano; 0 if none hangs

	turn    chan struct{} // holds a value while a reload runs
	seen    [sha256.Size]byte
	failure string            // of the last look, without its numbers
	refused [sha256.Size]byte // what was read for it
	told    int64             // time of its last report in UnixNano
	telling atomic.Int64      // number of failure reports in progress

	mutex    sync.Mutex        // guards the fields below and the replacement of current; not held while calling the program's code
	policies []certauth.Policy // of Require
	closed   bool
}

// generation is one document in use.
type generation struct {
	doc    *Document
	hooks  *hooks
	uses   atomic.Int64 // 1 while it is the active one, and 1 for each request
	routes atomic.Pointer[[]middleware]
}

type middleware = func(http.Handler) http.Handler

// acquire returns the active document for one request.
func (a *Authenticator) acquire() *generation {
	for {
		g := a.current.Load()
		if g == nil {
			return nil
		}
		if g.keep() {
			return g
		}
	}
}

// keep fails if the last user has released the document.
func (g *generation) keep() bool {
	for {
		n := g.uses.Load()
		if n == 0 {
			return false
		}
		if g.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release closes a document that was replaced, after its last request and in the background, because a
// checker waits for its fetches.
func (a *Authenticator) release(g *generation) {
	if g.uses.Add(-1) > 0 {
		return
	}
	go a.guarded(context.Background(), func() {
		if err := g.doc.Close(); err != nil {
			a.code.Logger.Error("certauth: policy document: close", "rule", a.path, "detail", err.Error())
		}
	})
}

// generationKey is the context key of the document by which this Authenticator accepted the request.
type generationKey struct{ a *Authenticator }

// judging returns the document for a request, to be released: that of the request out of which a handler made
// this one, or the active one. It returns nil if that document is closed, which refuses.
func (a *Authenticator) judging(ctx context.Context) *generation {
	if g, made := ctx.Value(generationKey{a}).(*generation); made {
		if g.keep() {
			return g
		}
		return nil
	}
	a.look(ctx)
	return a.acquire()
}

// Handler is certauth's Authenticator.Handler with the document that is active when the request
// arrives. A server whose gate checks the socket needs certauth.ConnContext as its ConnContext, and
// every server DisableGeneralOptionsHandler, both of which [Authenticator.ConfigureServer] sets.
func (a *Authenticator) Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("policyfile: Handler: next is nil")
	}
	return &guard{a, next}
}

// guard is a handler wrapped by an Authenticator.
type guard struct {
	auth *Authenticator
	next http.Handler
}

// ServeHTTP implements [http.Handler].
func (h *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.auth
	g := a.judging(r.Context())
	if g == nil {
		(*certauth.Authenticator)(nil).Handler(h.next).ServeHTTP(w, r) // refuses
		return
	}
	defer a.release(g)
	inner := r.WithContext(context.WithValue(r.Context(), generationKey{a}, g))
	defer giveBack(r, inner)
	g.doc.auth.Handler(h.next).ServeHTTP(w, inner)
}

// ConfigureServer is certauth's Authenticator.ConfigureServer with the document that is active when a
// request arrives. After Close it returns an error.
func (a *Authenticator) ConfigureServer(server *http.Server) error {
	g := a.acquire()
	if g == nil {
		return errClosed
	}
	defer a.release(g)
	if server == nil {
		return errors.New("policyfile: ConfigureServer: the server is nil")
	}
	// The active document adds to this one what a server needs.
	like := &http.Server{Handler: server.Handler, ConnContext: server.ConnContext, ReadTimeout: server.ReadTimeout, ReadHeaderTimeout: server.ReadHeaderTimeout}
	if _, ours := like.Handler.(*guard); ours {
		return errors.New("policyfile: ConfigureServer: server.Handler is already protected by an Authenticator; call ConfigureServer once, with the unprotected handler")
	}
	if err := g.doc.auth.ConfigureServer(like); err != nil {
		return err
	}
	own, base := a.Handler(server.Handler), server.BaseContext
	server.Handler, server.ConnContext, server.ReadHeaderTimeout = own, like.ConnContext, like.ReadHeaderTimeout
	server.DisableGeneralOptionsHandler = true
	server.BaseContext = func(listener net.Listener) context.Context {
		if server.Handler != own {
			panic(fmt.Sprintf("policyfile: ConfigureServer: server.Handler became a %T, which accepts every request; call ConfigureServer last, and start the server by its own methods", server.Handler))
		}
		if base != nil {
			return base(listener)
		}
		return context.Background()
	}
	return nil
}

// giveBack copies to the outer request what certauth's Handler has given back to the inner one, under
// the same conditions.
func giveBack(outer, inner *http.Request) {
	if outer.Context().Err() != nil {
		if form := inner.MultipartForm; form != nil && form != outer.MultipartForm {
			_ = form.RemoveAll() // net/http does not remove this form
		}
		return
	}
	outer.Pattern = inner.Pattern
	outer.Form, outer.PostForm, outer.MultipartForm = inner.Form, inner.PostForm, inner.MultipartForm
	for _, wildcard := range wildcards.FindAllStringSubmatch(inner.Pattern, -1) {
		outer.SetPathValue(wildcard[1], inner.PathValue(wildcard[1]))
	}
}

var wildcards = regexp.MustCompile(`\{([^{}$.]+)(?:\.\.\.)?\}`)

// Admit is certauth's Authenticator.Admit with the active document. A request that it accepted, and those made
// out of it, are refused by [Authenticator.Require] and by Admit once that document was replaced and is closed.
func (a *Authenticator) Admit(r *http.Request) (*http.Request, error) {
	if r == nil {
		return (*certauth.Authenticator)(nil).Admit(nil) // refuses
	}
	g := a.judging(r.Context())
	if g == nil {
		return (*certauth.Authenticator)(nil).Admit(r)
	}
	defer a.release(g)
	inner := r.WithContext(context.WithValue(r.Context(), generationKey{a}, g))
	defer func() { r.Header = inner.Header }()
	return g.doc.auth.Admit(inner)
}

// Check is certauth's Authenticator.Check with the active document.
func (a *Authenticator) Check(r *http.Request) (*certauth.Identity, error) {
	g := a.judging(r.Context())
	if g == nil {
		return (*certauth.Authenticator)(nil).Check(r)
	}
	defer a.release(g)
	return g.doc.auth.Check(r)
}

// Checkers returns the revocation checks of the active document by name, for Ready in a readiness
// probe and for Refresh after an outage. Call it each time, because a later document closes a check
// whose settings it changes. After Close it returns nil.
func (a *Authenticator) Checkers() map[string]*revocation.Checker {
	if g := a.current.Load(); g != nil {
		return maps.Clone(g.doc.Checkers)
	}
	return nil
}

// String returns the active configuration in several lines.
func (a *Authenticator) String() string {
	if g := a.acquire(); g != nil {
		defer a.release(g)
		return g.doc.auth.String()
	}
	return (*certauth.Authenticator)(nil).String()
}

// Require is certauth's Authenticator.Require with the document by which [Authenticator.Handler]
// accepted the request. It panics if the active document does not permit the policy; a later document
// that does not permit it never becomes active.
func (a *Authenticator) Require(policy certauth.Policy) func(http.Handler) http.Handler {
	index := a.route(policy)
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("policyfile: Require: next is nil")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := (*certauth.Authenticator)(nil).Require(policy) // refuses
			if g := a.judging(r.Context()); g != nil {
				defer a.release(g)
				if routes := *g.routes.Load(); index < len(routes) { // otherwise it was made after this document was replaced
					route = routes[index]
				}
			}
			route(next).ServeHTTP(w, r)
		})
	}
}

// route makes the middleware of a policy for the active document, and returns its number.
func (a *Authenticator) route(policy certauth.Policy) int {
	for {
		current := a.current.Load()
		if current == nil {
			panic("policyfile: Require: closed")
		}
		made := current.doc.auth.Require(policy)
		a.mutex.Lock()
		if a.current.Load() != current { // it was replaced in the meantime
			a.mutex.Unlock()
			continue
		}
		routes := append(slices.Clone(*current.routes.Load()), made)
		a.policies = append(a.policies, policy)
		current.routes.Store(&routes)
		a.mutex.Unlock()
		return len(routes) - 1
	}
}
