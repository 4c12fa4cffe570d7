package policyfile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

const (
	defaultInterval = 30 * time.Second // of certauth.Config.ReloadInterval

	lookLimit = time.Minute // for one check of the files
	lookWait  = time.Second // for which a request waits after a pause
)

// look is one check of the files, in the background of the requests.
type look struct{ done chan struct{} }

// look starts a look when one is due.
func (a *Authenticator) look(ctx context.Context) {
	g := a.current.Load()
	if g == nil {
		return
	}
	interval := g.doc.Config.ReloadInterval
	if interval == 0 {
		interval = defaultInterval
	}
	now, last := a.code.Now().UnixNano(), a.looked.Load()
	since := time.Duration(now - last)
	if since < 0 { // the clock went back
		since = interval
	}
	if since < interval {
		return
	}
	own := &look{done: make(chan struct{})}
	if a.looking.CompareAndSwap(nil, own) {
		a.looked.Store(now)
		go func() {
			defer close(own.done)
			defer a.looking.Store(nil)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
			defer cancel()
			_ = a.reload(ctx, false) // reported there
		}()
	} else if own = a.looking.Load(); own == nil {
		return
	}
	if since < 2*interval {
		return
	}
	wait := time.NewTimer(lookWait)
	defer wait.Stop()
	select {
	case <-own.done:
	case <-wait.C:
	case <-ctx.Done():
	}
}

// Reload checks the document now. It returns nil when the document is in use, and otherwise the error
// that prevents that: [Mistakes], which include failing cases. If the document did not change, it is
// certauth's Authenticator.Reload.
func (a *Authenticator) Reload(ctx context.Context) error { return a.reload(ctx, true) }

func (a *Authenticator) reload(ctx context.Context, asked bool) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	current := a.current.Load()
	if a.closed || current == nil {
		return errors.New("policyfile: closed")
	}
	candidate, seen, err := a.candidate(ctx, current, asked)
	switch {
	case err != nil:
		if a.failure != err.Error() || asked {
			a.failure = err.Error()
			a.report(ctx, "kept", err)
		}
		return err
	case candidate == nil: // nothing new
		a.failure = ""
		if asked {
			return current.doc.auth.Reload(ctx)
		}
		return nil
	}
	a.seen, a.failure = seen, ""
	a.current.Store(candidate)
	a.release(current)
	a.report(ctx, "reloaded", nil)
	return nil
}

// candidate is the next document, or nil if it is the active one.
func (a *Authenticator) candidate(ctx context.Context, current *generation, asked bool) (next *generation, seen [32]byte, err error) {
	defer func() {
		if p := recover(); p != nil { // a document must never end the service
			next, err = nil, fmt.Errorf("policyfile: panic: %v", p)
		}
	}()
	// Everything that was read before is read again, because only that shows whether it changed.
	seen, err = a.digest(current.doc)
	if err == nil && seen == a.seen && (!asked || a.failure == "") {
		return nil, seen, nil
	}
	doc, seen, err := a.load(ctx, current.doc.checkers)
	if err != nil {
		return nil, seen, err
	}
	if seen == a.seen {
		return nil, seen, doc.Close()
	}
	routes := make([]middleware, len(a.policies))
	for i, policy := range a.policies {
		if routes[i], err = routeOf(doc.auth, policy); err != nil {
			return nil, seen, errors.Join(err, doc.Close())
		}
	}
	return newGeneration(doc, routes), seen, nil
}

// digest reads again what the active document was made of, without making anything of it.
func (a *Authenticator) digest(doc *Document) ([32]byte, error) {
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
	for name := range doc.Checkers {
		d.checkers[name] = nil
	}
	d.revocations(root)
	d.content(root)
	return mat.sum(text), nil
}

// routeOf is Authenticator.Require; a panic in it is about the document here.
func routeOf(auth *certauth.Authenticator, policy certauth.Policy) (route middleware, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("policyfile: a route of the program does not go with this document: %v", p)
		}
	}()
	return auth.Require(policy), nil
}

// report informs Logger and Observe about a document.
func (a *Authenticator) report(ctx context.Context, outcome certauth.Outcome, err error) {
	event := certauth.Event{Time: a.code.Now(), Outcome: outcome, Rule: a.path}
	if err == nil {
		a.code.Logger.InfoContext(ctx, "certauth: policy document in use", "rule", a.path)
	} else {
		const hint = "mend the document; the last good one stays in use"
		event.Err = &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: a.path, Hint: hint, Err: err}
		a.code.Logger.ErrorContext(ctx, "certauth: policy document kept", "rule", a.path, "detail", err.Error(), "hint", hint)
	}
	if a.code.Observe == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			a.code.Logger.ErrorContext(ctx, "certauth: panic in Observe", "detail", fmt.Sprint(p))
		}
	}()
	a.code.Observe(ctx, event)
}

// Close refuses all further requests, and closes the revocation checks after the last request in
// progress.
func (a *Authenticator) Close() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.closed = true
	if g := a.current.Swap(nil); g != nil && g.uses.Add(-1) == 0 {
		return g.doc.Close()
	}
	return nil
}
