package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Open loads the document, runs its cases, and returns an Authenticator that follows changes of the
// document. It uses the same fields of code as [Load]. It starts no goroutine that keeps running, but
// the result must be closed. If the document has mistakes or a case fails, errors.As finds the
// [Mistakes] in the error. A document that has not been read within a minute, as on a network share
// that hangs, is an error too.
func Open(path string, code certauth.Config) (*Authenticator, error) {
	if err := checkCode(code); err != nil {
		return nil, err
	}
	if code.Now == nil {
		code.Now = time.Now //nolint:forbidigo // the default of the injected clock
	}
	if code.Logger == nil {
		code.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{path: path, code: code, turn: make(chan struct{}, 1)}
	first, err := a.loadFirst()
	if err != nil {
		return nil, err
	}
	a.current.Store(first)
	a.looked.Store(code.Now().UnixNano())
	first.hooks.use()
	a.logInUse(context.Background())
	a.flush(context.Background(), first.hooks)
	return a, nil
}

// loadFirst loads the document for the first time.
func (a *Authenticator) loadFirst() (*generation, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	var first *generation
	var seen [sha256.Size]byte
	var err error
	if late := inTime(ctx, a.path, func() {
		first, seen, err = a.candidate(ctx, &generation{doc: &Document{}}, true)
		if first != nil && ctx.Err() != nil { // nobody waits any longer
			err = errors.Join(ctx.Err(), first.doc.Close())
		}
	}); late != nil {
		return nil, late
	}
	a.seen = seen
	return first, err
}

// inTime calls read, which may hang, and stops waiting when ctx ends.
func inTime(ctx context.Context, path string, read func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		read()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		select {
		case <-done: // at the same moment
			return nil
		default:
		}
		return fmt.Errorf("policyfile: %s has not been read in time; does its disk or share answer? %w", quotedName(path), context.Cause(ctx))
	}
}

// attempts is how often a document is loaded if it or its files change during the load.
const attempts = 3

// load loads a document whose cases pass. All files must be from the same state: if one of them
// changes while they are read, the material that comes into use may differ from that of the cases.
func (a *Authenticator) load(ctx context.Context, before map[string]*sharedChecker) (*generation, [sha256.Size]byte, error) {
	for range attempts {
		g, seen, err := a.loadOnce(ctx, before)
		if err != nil {
			return nil, seen, err
		}
		if now, err := a.digest(); err == nil && now == seen {
			return g, seen, nil
		}
		if err := g.doc.Close(); err != nil {
			return nil, seen, err
		}
	}
	return nil, [sha256.Size]byte{}, errors.New("policyfile: the document, or a file that it names, changes each time while it is read")
}

func (a *Authenticator) loadOnce(ctx context.Context, before map[string]*sharedChecker) (*generation, [sha256.Size]byte, error) {
	g := &generation{hooks: &hooks{}}
	doc, seen, err := load(a.path, g.hooks.config(a.code), before)
	if err != nil {
		return nil, seen, err
	}
	results, err := doc.RunCases(ctx)
	var mistakes Mistakes
	for i, result := range results {
		if result.Failure != "" && len(mistakes) < maxMistakes {
			n := doc.root.member("cases").items[i]
			m := mistakeAt(doc.text, n.at, n.path(), fmt.Sprintf("case %s: %s", quoted(result.Case.Name), result.Failure))
			m.File = a.path
			mistakes = append(mistakes, m)
		}
	}
	if len(mistakes) > 0 {
		err = mistakes
	}
	if err == nil {
		if mistakes := doc.make(true); len(mistakes) > 0 {
			err = mistakes // a file has changed since
		}
	}
	if err != nil {
		return nil, seen, errors.Join(err, doc.Close())
	}
	g.doc = doc
	g.uses.Store(1)
	g.routes.Store(&[]middleware{})
	return g, seen, nil
}
