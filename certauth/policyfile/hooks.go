package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// hooks pass the records and events of a document to the program's Logger and Observe. While the
// document is being read, they store them. If the document comes into use, they are passed on
// afterwards, so that a hook of the program can use the Authenticator; otherwise they are dropped.
type hooks struct {
	mutex sync.Mutex
	inUse bool
	kept  []func()
}

// config returns the program's Config with the hooks instead of its Logger and Observe.
func (h *hooks) config(code certauth.Config) certauth.Config {
	code.Logger = slog.New(&keptRecords{code.Logger.Handler(), h})
	if observe := code.Observe; observe != nil {
		code.Observe = func(ctx context.Context, event certauth.Event) {
			h.tell(func() { observe(ctx, event) })
		}
	}
	return code
}

func (h *hooks) tell(what func()) {
	h.mutex.Lock()
	keep := !h.inUse
	if keep {
		h.kept = append(h.kept, what)
	}
	h.mutex.Unlock()
	if !keep {
		what()
	}
}

// use makes the hooks pass on everything from now on. Stored records and events stay until flush.
func (h *hooks) use() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.inUse = true
}

// flush passes on the stored records and events.
func (a *Authenticator) flush(ctx context.Context, h *hooks) {
	h.mutex.Lock()
	kept := h.kept
	h.kept = nil
	h.mutex.Unlock()
	for _, what := range kept {
		a.guarded(ctx, what)
	}
}

// keptRecords is a slog.Handler that stores records for the program's Logger.
type keptRecords struct {
	slog.Handler
	hooks *hooks
}

func (k *keptRecords) Handle(ctx context.Context, record slog.Record) (err error) {
	record = record.Clone()
	k.hooks.tell(func() { err = k.Handler.Handle(ctx, record) })
	return err
}

func (k *keptRecords) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &keptRecords{k.Handler.WithAttrs(attrs), k.hooks}
}

func (k *keptRecords) WithGroup(name string) slog.Handler {
	return &keptRecords{k.Handler.WithGroup(name), k.hooks}
}

// report reports to Logger and Observe whether a document came into use.
func (a *Authenticator) report(ctx context.Context, outcome certauth.Outcome, err error) {
	event := certauth.Event{Outcome: outcome, Rule: a.path}
	if err == nil {
		a.logInUse(ctx)
	} else {
		hint := "repair the document; until then the last good one stays in use, but a restart fails"
		switch {
		case errors.Is(err, errHangs):
			hint = "check that the disk or the share of the document answers; the last good document stays in use"
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			hint = "the check was given up before its end: unless the caller of Reload canceled it, does the disk or the share of the document answer? it is repeated; the last good document stays in use"
		}
		event.Err = &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: a.path, Hint: hint, Err: err}
		a.guarded(ctx, func() {
			a.code.Logger.ErrorContext(ctx, "certauth: policy document kept", "rule", a.path, "in_use", a.inUse(), "detail", err.Error(), "hint", hint)
		})
	}
	if a.code.Observe != nil {
		a.guarded(ctx, func() {
			event.Time = a.code.Now()
			a.code.Observe(ctx, event)
		})
	}
}

func (a *Authenticator) logInUse(ctx context.Context) {
	a.guarded(ctx, func() {
		a.code.Logger.InfoContext(ctx, "certauth: policy document in use", "rule", a.path, "in_use", a.inUse())
	})
}

// inUse identifies the text of the active document, as sha256sum does. After Close it returns an empty text.
func (a *Authenticator) inUse() string {
	if g := a.current.Load(); g != nil {
		return fmt.Sprintf("%x", sha256.Sum256(g.doc.text))
	}
	return ""
}

// guarded calls hooks and the clock. Their panics must not end the service.
func (a *Authenticator) guarded(ctx context.Context, hook func()) {
	defer func() {
		if p := recover(); p != nil {
			defer func() { _ = recover() }() // if the Logger panics, there is nowhere to report it
			a.code.Logger.ErrorContext(ctx, "certauth: panic in Observe, Logger or Now", "detail", fmt.Sprint(p))
		}
	}()
	hook()
}
