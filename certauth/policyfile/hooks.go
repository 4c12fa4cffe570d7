package policyfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// hooks stand between a document and the program's Logger and Observe. While the document is being
// read they keep what there is to tell: of a document that is not used nobody is told, and of one
// that is used when it is in use, when a hook can ask for anything that a program can.
type hooks struct {
	mutex sync.Mutex
	inUse bool
	kept  []func()
}

// config is the program's, told through the hooks.
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

// use lets everything through from now on. What was kept stays there for flush.
func (h *hooks) use() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.inUse = true
}

// flush tells what was kept.
func (a *Authenticator) flush(ctx context.Context, h *hooks) {
	h.mutex.Lock()
	kept := h.kept
	h.kept = nil
	h.mutex.Unlock()
	for _, what := range kept {
		a.guarded(ctx, what)
	}
}

// keptRecords is the handler of the program's Logger behind hooks.
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

// report tells Logger and Observe what became of a document.
func (a *Authenticator) report(ctx context.Context, outcome certauth.Outcome, err error) {
	event := certauth.Event{Outcome: outcome, Rule: a.path}
	if err == nil {
		a.guarded(ctx, func() { a.code.Logger.InfoContext(ctx, "certauth: policy document in use", "rule", a.path) })
	} else {
		hint := "mend the document; the last good one stays in use"
		if errors.Is(err, errHangs) {
			hint = "does the disk or the share of the document answer? The last good document stays in use"
		}
		event.Err = &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: a.path, Hint: hint, Err: err}
		a.guarded(ctx, func() {
			a.code.Logger.ErrorContext(ctx, "certauth: policy document kept", "rule", a.path, "detail", err.Error(), "hint", hint)
		})
	}
	if a.code.Observe != nil {
		a.guarded(ctx, func() {
			event.Time = a.code.Now()
			a.code.Observe(ctx, event)
		})
	}
}

// guarded calls hooks and the clock, whose panic is not the end of the service.
func (a *Authenticator) guarded(ctx context.Context, hook func()) {
	defer func() {
		if p := recover(); p != nil {
			defer func() { _ = recover() }() // of the Logger, and nobody else is there to be told
			a.code.Logger.ErrorContext(ctx, "certauth: panic in Observe, Logger or Now", "detail", fmt.Sprint(p))
		}
	}()
	hook()
}
