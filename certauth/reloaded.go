package certauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// reloadedWithin reports reloads and expiring certificates of an Authenticator that the source made
// for its own use.
func (a *Authenticator) reloadedWithin(event Event) {
	var err error
	if event.Err != nil {
		err = event.Err.Err
	}
	switch event.Outcome { //nolint:exhaustive // its decisions about the front end are part of the request's event
	case outcomeReloaded, outcomeKept:
		a.reloaded("Source: "+event.Rule, err)
	case outcomeExpiring, outcomeExpired, outcomeUnchained, outcomeRootless:
		event.Rule, event.Source = "Source: "+event.Rule, a.source.Name
		a.reportMaterial(event)
	}
}

// reloaded reports a reload, whether it succeeded or failed.
func (a *Authenticator) reloaded(path string, err error) {
	event := Event{Time: a.config.Now(), Outcome: outcomeReloaded, Rule: path, Source: a.source.Name}
	if err != nil {
		event.Outcome = outcomeKept
		event.Err = &Error{
			Reason: ReasonNotConfigured, Rule: path, Err: err,
			Hint: "repair the file or function; until then the last good set stays in use, but a restart fails",
		}
	}
	if logger := a.config.Logger; logger != nil && a.kept.isNews(path, err, event.Time) {
		if err != nil {
			logger.Error("certauth: reload failed, last good set kept", "rule", path, "detail", event.Err.Error(), "hint", event.Err.Hint)
		} else {
			logger.Info("certauth: reloaded", "rule", path)
		}
	}
	a.observe(context.Background(), event)
}

// remindAfter is the time between two records of a failure that lasts.
const remindAfter = time.Hour

// keptRecords remembers the last record about each item that could not be reloaded, by its path.
type keptRecords struct {
	mutex  sync.Mutex
	latest map[string]keptRecord
}

type keptRecord struct {
	text string
	at   time.Time
}

// isNews reports whether to log the result of a reload: every success, and a failure unless the same
// one was logged within the last hour. All errors of a function are the same, because their texts
// contain ports and the numbers of requests.
func (k *keptRecords) isNews(path string, failure error, now time.Time) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if failure == nil {
		delete(k.latest, path)
		return true
	}
	text := failure.Error()
	_, failed := errors.AsType[lineError](failure)
	if _, panicked := errors.AsType[safely.PanicError](failure); failed || panicked {
		text = "a function"
	}
	before := k.latest[path]
	if elapsed := now.Sub(before.at); before.text == text && elapsed >= 0 && elapsed < remindAfter {
		return false
	}
	if k.latest == nil {
		k.latest = map[string]keptRecord{}
	}
	k.latest[path] = keptRecord{text, now}
	return true
}
