package policyfile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

const (
	defaultInterval = 30 * time.Second // of certauth.Config.ReloadInterval

	lookLimit = time.Minute // bounds one check of the files
	lookWait  = time.Second // bounds the wait of requests after a pause, from the beginning of the check

	preloadLimit = 10 * time.Second // bounds the wait of a new document for its lists

	remindAfter = time.Hour // between two reports of the same failure

	// clockSlack is how far the clock may seem to go back without consequences: requests read the
	// clock and then arrive here in any order.
	clockSlack = time.Second
)

// look is one check of the files, in the background of the requests.
type look struct{ done, late chan struct{} }

var errHangs = errors.New("policyfile: the check for changes has not ended within a minute")

// look starts a look if one is due.
func (a *Authenticator) look(ctx context.Context) {
	g := a.current.Load()
	if g == nil {
		return
	}
	interval := g.doc.Config.ReloadInterval
	if interval == 0 {
		interval = defaultInterval
	}
	now, ok := a.clock()
	if !ok {
		return
	}
	since := time.Duration(now - a.looked.Load())
	if since < -clockSlack { // the clock went back
		since = interval
	}
	if since < interval {
		return
	}
	own := &look{done: make(chan struct{}), late: make(chan struct{})}
	if a.looking.CompareAndSwap(nil, own) {
		a.looked.Store(now)
		time.AfterFunc(lookWait, func() { close(own.late) })
		go a.lookNow(context.WithoutCancel(ctx), own)
	} else if own = a.looking.Load(); own == nil {
		return
	} else if last := a.hung.Load(); last != 0 && remind(now, last) && a.hung.CompareAndSwap(last, now) {
		go a.report(context.WithoutCancel(ctx), "kept", errHangs)
	}
	if since < 2*interval {
		return
	}
	select {
	case <-own.done:
	case <-own.late:
	case <-ctx.Done():
	}
}

// clock returns the time in UnixNano. It returns false if the clock panics: certauth then refuses the request.
func (a *Authenticator) clock() (now int64, ok bool) {
	defer func() { _ = recover() }()
	return a.code.Now().UnixNano(), true
}

// lookNow checks the files. reload reports success and failure; lookNow reports if the check hangs,
// as on an unavailable network share.
func (a *Authenticator) lookNow(ctx context.Context, own *look) {
	defer close(own.done)
	defer a.looking.Store(nil)
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	stop := context.AfterFunc(limited, func() {
		now, _ := a.clock()
		if a.hung.CompareAndSwap(0, max(now, 1)) {
			a.report(ctx, "kept", errHangs)
		}
	})
	defer stop()
	if current, err := a.begin(limited); err == nil {
		_ = a.reload(limited, current, false)
	}
	if limited.Err() == nil {
		a.hung.Store(0)
	}
}

// Reload checks the document now. It returns nil when the document is in use, and otherwise the error
// that prevents that: [Mistakes], which include failing cases. If the document did not change, it does
// what certauth's Authenticator.Reload does. It waits until ctx ends, for a running reload too; a check
// that is still running then goes on, and its result is reported.
//
// Observe and the handler of Logger may call Reload and every other method, because they are called
// after the reload. The report that a check hangs is an exception: a Reload within it waits for that
// check, or until its ctx ends. While a failure is being reported, another Reload that ends with the
// same failure does not report it again.
func (a *Authenticator) Reload(ctx context.Context) error {
	current, err := a.begin(ctx)
	if err != nil {
		return err
	}
	if late := inTime(ctx, a.path, func() { err = a.reload(ctx, current, true) }); late != nil {
		return late
	}
	return err
}

var errClosed = errors.New("policyfile: closed")

// begin takes the turn of a reload, and the active document.
func (a *Authenticator) begin(ctx context.Context) (*generation, error) {
	if a.current.Load() == nil {
		return nil, errClosed
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("policyfile: another reload is running: %w", context.Cause(ctx))
	}
	current := a.acquire() // keeps open the checkers that it shares with the next document
	if current == nil {
		<-a.turn
		return nil, errClosed
	}
	return current, nil
}

// reload ends the turn that began with this document.
func (a *Authenticator) reload(ctx context.Context, current *generation, asked bool) error {
	defer a.release(current)
	failed := a.failure != ""
	next, tell, err := a.attempt(ctx, current, asked)
	<-a.turn
	// Hooks may call this Authenticator, so from here on nothing is held.
	switch {
	case err != nil && tell:
		a.telling.Add(1)
		defer a.telling.Add(-1)
		a.report(ctx, "kept", err)
	case err != nil:
	case next != nil:
		a.report(ctx, "reloaded", nil)
		a.flush(ctx, next.hooks)
	default:
		if failed { // and repaired, by the document that is in use all the time
			a.logInUse(ctx)
		}
		if asked {
			return current.doc.auth.Reload(ctx)
		}
	}
	return err
}

// attempt puts the next document into use, if there is one, and returns whether a failure must be
// reported. The caller must hold the turn.
func (a *Authenticator) attempt(ctx context.Context, current *generation, asked bool) (next *generation, tell bool, err error) {
	next, seen, err := a.candidate(ctx, current, asked)
	if err == nil && next != nil {
		next.preload(ctx, current.doc.checkers)
		if err = a.use(next); err != nil {
			err = errors.Join(err, next.doc.Close())
		}
	}
	switch {
	case errors.Is(err, errClosed):
		return nil, false, err
	case err != nil:
		now, _ := a.clock()
		failure := withoutNumbers(err.Error())
		tell = a.failure != failure || a.refused != seen || asked && a.telling.Load() == 0 || remind(now, a.told)
		if a.failure, a.refused = failure, seen; tell {
			a.told = now
		}
		return nil, tell, err
	case next != nil:
		a.seen = seen
	}
	a.failure = ""
	return next, false, nil
}

// remind reports whether a failure that was reported at a time must be reported again. If the clock went back since then,
// it must: the time may be far ahead.
func remind(now, told int64) bool {
	elapsed := time.Duration(now - told)
	return elapsed < -clockSlack || elapsed >= remindAfter
}

// withoutNumbers removes the digits of a failure, because that of a case at "now" contains the time.
func withoutNumbers(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// preload reads the lists of revocation checks that the active document does not have, because requests would have to
// wait for them. A failure is no reason to keep the active document: the check itself reports it.
func (g *generation) preload(ctx context.Context, before map[string]*sharedChecker) {
	ctx, cancel := context.WithTimeout(ctx, preloadLimit)
	defer cancel()
	var all sync.WaitGroup
	for name, shared := range g.doc.checkers {
		if before[name] != shared {
			all.Go(func() { _ = shared.checker.Preload(ctx) })
		}
	}
	all.Wait()
}

// use replaces the active document, once the next one has all routes of the program.
func (a *Authenticator) use(next *generation) error {
	for {
		a.mutex.Lock()
		routes := *next.routes.Load()
		missing := slices.Clone(a.policies[len(routes):])
		if a.closed || len(missing) == 0 {
			break
		}
		a.mutex.Unlock()
		for _, policy := range missing {
			route, err := routeOf(next.doc.auth, policy)
			if err != nil {
				return err
			}
			routes = append(routes, route)
		}
		next.routes.Store(&routes)
	}
	defer a.mutex.Unlock()
	if a.closed {
		return errClosed
	}
	next.hooks.use()
	a.release(a.current.Swap(next))
	return nil
}

// candidate returns the next document, or nil if it is the active one.
func (a *Authenticator) candidate(ctx context.Context, current *generation, asked bool) (next *generation, seen [32]byte, err error) {
	defer func() {
		if p := recover(); p != nil { // a document must never end the service
			next, err = nil, fmt.Errorf("policyfile: panic: %v", p)
		}
	}()
	// Everything that was read is read again, because only this shows whether it has changed.
	seen, err = a.digest()
	if err == nil && seen == a.seen && (!asked || a.failure == "") {
		return nil, seen, nil
	}
	next, seen, err = a.load(ctx, current.doc.checkers)
	if err != nil {
		return nil, seen, err
	}
	if seen == a.seen {
		return nil, seen, next.doc.Close()
	}
	return next, seen, nil
}

// digest reads again everything that belongs to the document, without building anything.
func (a *Authenticator) digest() ([32]byte, error) {
	text, err := readFile(a.path, maxDocument)
	if err != nil {
		return [32]byte{}, err
	}
	root, mistake := parseJSON(text)
	if mistake != nil {
		return [32]byte{}, Mistakes{*mistake}
	}
	mat := &material{}
	d := &decoder{text: text, dir: filepath.Dir(a.path), material: mat, checkers: map[string]certauth.RevocationChecker{}}
	d.content(root)
	return mat.sum(text), nil
}

// routeOf calls Authenticator.Require. A panic in it concerns the document.
func routeOf(auth *certauth.Authenticator, policy certauth.Policy) (route middleware, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("policyfile: a route of the program does not fit this document: %v", p)
		}
	}()
	return auth.Require(policy), nil
}

// Close refuses all further requests, and closes the revocation checks after the last request in
// progress.
func (a *Authenticator) Close() error {
	a.mutex.Lock()
	a.closed = true
	g := a.current.Swap(nil)
	a.mutex.Unlock()
	if g != nil && g.uses.Add(-1) == 0 {
		return g.doc.Close()
	}
	return nil
}
