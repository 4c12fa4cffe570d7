package certauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
	"github.com/seed2886b8ae/go-certauth/internal/siblings"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Authenticator judges requests by one Config. It is immutable and safe for concurrent use. It
// owns no goroutine, timer or file while it is idle; a reload that a request starts ends by
// itself. The zero value and nil refuse every request.
type Authenticator struct {
	config     Config
	source     *source.Reader
	policy     rule
	judged     *judged // the policy, after the rule that requires the front end's verification
	standing   standing
	exclusions []exclusion
	headers    headerSet
	roles      roleNames
	serverAuth []string // reasons of the AcceptServerAuth policies
	chains     chainNodes
	defects    defects
	material   *reload.Material

	cache    *factcache.Cache[facts, *facts] // nil if nothing is to be remembered
	readings readings
	siblings siblings.Set
	searches *searches
	nobody   *Identity // for the context of requests without one
	scratch  sync.Pool // of *evaluation
	repeats  repeats
	kept     keptRecords
	screen   func(leaf []byte) error // nil unless pins can refuse before parsing

	sourceReloads []func(context.Context) error
}

// New checks the whole configuration and returns the Authenticator, or all mistakes at once, each
// with its path. It reads the files and calls the functions that the policy names. It opens no
// socket and starts nothing that outlives it. Certificates of the configuration that have expired
// or will soon are not mistakes, but are reported to Logger and Observe (see "Rotation" in the
// package documentation).
func New(config Config) (*Authenticator, error) {
	if config.Now == nil {
		config.Now = time.Now //nolint:forbidigo // the default of the injected clock
	}
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{config: config, cache: newFactCache(config.CacheSize), searches: newSearches()}
	a.nobody = newNobody(a)
	a.material = reload.New(config.ReloadInterval, config.Now, a.reloaded)
	a.material.Check = func(changed []string) {
		a.defects.forget(changed) // after the report, so that theirs follow it even if a daily check is running
		a.checkMaterial(len(changed) > 0)
	}

	found := config.check()
	var early []Event // of the source, whose name is not known yet
	tell := func(event Event) {
		if a.source == nil {
			early = append(early, event)
			return
		}
		a.reloadedWithin(event)
	}
	found = append(found, a.prepareSource(source.Environment{
		Now: config.Now, Logger: logger,
		NewHop: func(from source.Source, policy any) (source.Hop, error) { return a.newHop(from, policy, tell) },
	})...)

	c := &compilation{material: a.material, chains: &a.chains, defects: &a.defects}
	if isNil(config.Policy) {
		c.mistake("Policy", "nil; set the policy that every caller must satisfy")
	} else {
		start := standing{}
		verifies := a.source != nil && a.source.FrontEndVerifies
		if verifies {
			start.vouched, c.verified = vouchedNames, true
		}
		a.policy, a.standing = c.compilePolicy(config.Policy, "Policy", start)
		a.roles, a.serverAuth = c.roles, c.serverAuth
		rules, ok := a.policy.(allRule)
		if !ok {
			rules = allRule{a.policy}
		}
		if verifies {
			rules = append(allRule{&frontEndRule{path: "Source", skew: skewAtTop(config.Policy)}}, rules...)
		}
		a.judged = newJudged(rules, len(a.roles.given) > 0)
		if first := screensOf(a.policy); len(first) > 0 && !verifies { // with FrontEndVerifies, another rule comes before the pins
			a.screen = first.check
		}
	}
	found = append(found, c.mistakes...)

	exclusions, errs := compileExclusions(config.Exclusions)
	a.exclusions = exclusions
	found = append(found, errs...)

	if len(found) > 0 {
		return nil, configError(found)
	}
	a.config.Source, a.config.Policy, a.config.Exclusions = nil, nil, nil // only their compiled copies are used
	if a.config.Logger != nil {
		// One record for each line: handlers escape line ends, and this is for people to read.
		for line := range strings.Lines(a.String()) {
			a.config.Logger.Info("certauth: configured", "policy", strings.TrimSuffix(line, "\n"))
		}
	}
	for _, event := range early {
		a.reloadedWithin(event)
	}
	a.checkMaterial(true)
	return a, nil
}

// configError joins the mistakes under a line that counts them.
func configError(found []error) error {
	found = mistakes.Flatten(found...)
	noun := "mistakes"
	if len(found) == 1 {
		noun = "mistake"
	}
	return fmt.Errorf("certauth: %d %s in Config:\n%w", len(found), noun, errors.Join(found...))
}

// Remembered returns the number of certificates that the Authenticator remembers (see
// Config.CacheSize). A certificate that came with different other certificates counts up to four
// times. Remembered scans the whole cache, so call it when metrics are collected, not for each
// request. It returns 0 for an Authenticator without a cache, and for nil.
func (a *Authenticator) Remembered() int {
	if a == nil {
		return 0
	}
	return a.cache.Len()
}

// Check judges the certificate that the request presents. It returns the identity, or an [*Error]
// that says why the certificate is refused; never both and never neither. It does not change the
// request, writes no response, reports no decision, and ignores Optional and Exclusions: without
// a certificate it returns an error. Like any request it may start a reload. It is for tests;
// services use [Authenticator.Handler], and adapters [Authenticator.Admit], which reports.
func (a *Authenticator) Check(r *http.Request) (*Identity, error) { return a.check(r, false) }

// check is Check. own is as in admission.
func (a *Authenticator) check(r *http.Request, own bool) (*Identity, error) {
	if a == nil || a.policy == nil || a.source == nil {
		return nil, refusal(ReasonNotConfigured, "", "the Authenticator is not the result of New")
	}
	e := a.evaluation()
	defer a.release(e)
	e.own = own
	refused := a.connectionNames(r, a.ask(r, e))
	if refused == nil {
		var id *Identity
		if id, refused = a.decide(r, e); refused == nil {
			return id, nil
		}
	}
	return nil, refused
}

// evaluation returns an evaluation for one request, to be released afterwards.
func (a *Authenticator) evaluation() *evaluation {
	e, ok := a.scratch.Get().(*evaluation)
	if !ok {
		e = &evaluation{owner: a}
	}
	return e
}

func (a *Authenticator) release(e *evaluation) {
	e.clear()
	a.scratch.Put(e)
}

// decide judges the source's offer. It reads no header.
func (a *Authenticator) decide(r *http.Request, e *evaluation) (id *Identity, refused *Error) {
	refused = errUnfinished
	defer func() {
		if p := recover(); refused == errUnfinished {
			id, refused = nil, a.panicked("Source", p)
		}
	}()
	now := a.config.Now().Round(0) // dates are of the wall clock
	a.material.Refresh(r.Context(), now)
	if a.cache == nil || !recognisable(&e.offer) { // nothing is shared or remembered
		f, refused := a.read(&e.offer)
		if refused != nil {
			return nil, refused
		}
		return a.judge(r.Context(), now, f, e)
	}
	hash := a.cache.Hash(&e.offer)
	f := a.cache.Find(hash, &e.offer)
	if f == nil {
		return a.checkNew(r, now, hash, e)
	}
	a.searches.queue.MeetKnown()
	return a.judge(r.Context(), now, f, e)
}

// ask lets the source check the sender and make its offer, on every request and before any look-up
// in the cache. An empty offer means that there is no certificate.
func (a *Authenticator) ask(r *http.Request, e *evaluation) (refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			refused = a.panicked("Source", p)
		}
	}()
	if socket.AsksForTunnel(r) {
		return refusal(ReasonSourceUntrusted, "Source", "the connection starts with the HTTP/2 preface, and a handler would take it over").
			withHint("enable unencrypted HTTP/2 with http.Server.Protocols, not with golang.org/x/net/http2/h2c")
	}
	err := a.source.Offer(r, &e.offer)
	if err == nil && e.offer.Len() == 0 {
		err = errNoCertificate()
	}
	if err != nil {
		refused = sourceError(err)
		refused.Hint = cmp.Or(a.whyMissing(r, refused), refused.Hint)
		if outer := a.outer(r.Context()); outer != nil && !outer.isNobody() { // a known caller is not anonymous
			refused.absent = false
		}
	}
	if r.Method == http.MethodConnect && r.ProtoMajor < 2 && len(a.headers.names) > 0 {
		reason := ReasonSourceUntrusted
		if refused != nil { // scanners send it too, without a certificate
			reason = refused.Reason
		}
		return refusal(reason, "Source", "CONNECT asks the front end for a tunnel, in which the client would write the headers itself").
			withHint("no honest client of a service sends CONNECT; look for this one in the front end's log, and have the front end refuse the method")
	}
	return refused
}

// connectionNames replaces the source's answer with a refusal if the Connection header names one
// of the source's headers. The refusal of an untrusted sender and that of a panic take precedence.
func (a *Authenticator) connectionNames(r *http.Request, refused *Error) *Error {
	if refused != nil && (refused.Reason == ReasonSourceUntrusted || refused.Reason == ReasonInternalError) {
		return refused
	}
	if a.headers.namedByConnection(r.Header["Connection"]) {
		return refusal(ReasonCertificateMalformed, "Source", "the Connection header names a header that the source reads").
			withHint("the client tries to make a proxy remove a header of the front end, which no honest client does; look for the client in the front end's log")
	}
	return refused
}

func errNoCertificate() error {
	return refusal(ReasonCertificateMissing, "Source", "no certificate")
}

// sourceError turns the error of a source into a refusal.
func sourceError(err error) *Error {
	refused := asError(err, ReasonCertificateMalformed, "Source")
	own := *refused // the source may own it, and hooks may write to it
	own.absent = own.Reason == ReasonCertificateMissing
	return &own
}

// judge evaluates the policy on every request, also if the facts come from the cache.
func (a *Authenticator) judge(ctx context.Context, now time.Time, f *facts, e *evaluation) (*Identity, *Error) {
	e.ctx, e.now, e.facts = ctx, now, f
	if refused := e.judge(a.judged, "Policy"); refused != nil {
		return nil, refused.about(f, e.path.reached)
	}
	if e.own { // no handler has made the request
		return e.identity(), nil
	}
	if known := a.outer(ctx); known != nil && !known.isOf(f.leaf) {
		return nil, refusal(ReasonSourceUntrusted, "Source", "a Handler further out has let this request, or the one that a handler made it of, through for another caller or for nobody").
			withHint("use one Handler for a request; pass requests that a handler makes out of what a client sent to the handlers behind it, with the context of the request that brought them").
			about(f, e.path.reached)
	}
	return e.identity(), nil
}

// Reload reads all files, environment variables and functions of the policy, of the policies
// given to Require, and of the source's gates again, and returns when this is done. Use it in a
// signal handler or a test. An item that fails keeps its last good value, and its failure is part
// of the returned error. An item that is being read at the moment is read again afterwards; if
// that read hangs, it is an error.
func (a *Authenticator) Reload(ctx context.Context) error {
	if a == nil || a.material == nil {
		return refusal(ReasonNotConfigured, "", "the Authenticator is not the result of New")
	}
	errs := []error{a.material.Reload(ctx, true)}
	for _, reload := range a.sourceReloads {
		_, err := safely.Do(func() (bool, error) { return true, reload(ctx) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// String returns the configuration in effect in several lines: source, mode, policy with the
// certificates that it trusts at the moment, and exclusions. New logs it line by line.
func (a *Authenticator) String() string {
	if a == nil || a.policy == nil || a.source == nil {
		return "certauth: not configured, refuses every request\n"
	}
	p := &printer{}
	p.line("source: %s", a.source.Name)
	if a.config.Optional {
		p.line("mode: optional")
	} else {
		p.line("mode: required")
	}
	if a.config.InsecureReportOnly {
		p.line("insecure: report only, nobody is refused")
	}
	p.line("policy:")
	p.indent++
	a.policy.describe(p)
	p.indent--
	for _, x := range a.exclusions {
		x.describe(p)
	}
	return p.b.String()
}
