package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// hook is both Observe and the handler of a Logger. It calls the Authenticator whenever it is called.
type hook struct {
	mutex sync.Mutex
	auth  *policyfile.Authenticator
	call  func(*policyfile.Authenticator)
	told  []string
}

func (h *hook) tell(what string) {
	h.mutex.Lock()
	auth := h.auth
	h.told = append(h.told, what)
	over := len(h.told) > 1000
	h.mutex.Unlock()
	if auth != nil && !over {
		h.call(auth)
	}
}

func (h *hook) list() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return slices.Clone(h.told)
}

func (h *hook) observe(_ context.Context, event certauth.Event) {
	if event.Method == "" { // not of a request, which a hook may make
		h.tell(string(event.Outcome))
	}
}

func (*hook) Enabled(context.Context, slog.Level) bool { return true }

func (h *hook) Handle(_ context.Context, record slog.Record) error {
	if record.Level != slog.LevelWarn { // as above
		h.tell(record.Message)
	}
	return nil
}

func (h *hook) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *hook) WithGroup(string) slog.Handler      { return h }

// ends fails if f does not return within minutes.
func ends(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the hook waits for itself")
	}
}

// A hook that called the Authenticator waited forever for the reload that had called the hook.
func TestReload_HooksMayCallBack(t *testing.T) {
	role := certauth.Thumbprints{"0000000000000000000000000000000000000000000000000000000000000000"}
	calls := map[string]func(*policyfile.Authenticator){
		"Reload": func(auth *policyfile.Authenticator) { _ = auth.Reload(t.Context()) },
		"Require": func(auth *policyfile.Authenticator) {
			defer func() { _ = recover() }() // it is closed at the end
			auth.Require(role)
		},
		"Close":   func(auth *policyfile.Authenticator) { _ = auth.Close() },
		"String":  func(auth *policyfile.Authenticator) { _ = auth.String() },
		"Handler": func(auth *policyfile.Authenticator) { call(auth, http.NotFoundHandler()) },
	}
	for _, situation := range []struct {
		name  string
		spoil func(f *folder)
		tells string // for hooks that do not close it
	}{
		{"a document that becomes active", func(f *folder) { f.write("policy.json", scoped+" ") }, "reloaded"},
		{"one with a root that ends soon", func(f *folder) {
			soon := certauthtest.NewCA(f.t, "Soon", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
			f.write("a.pem", string(f.a.PEM())+string(soon.PEM()))
			f.write("policy.json", scoped+" ")
		}, "expiring"},
		{"one that is refused", func(f *folder) { f.write("policy.json", "{") }, "kept"},
		{"one that is gone", func(f *folder) { _ = os.Remove(filepath.Join(f.dir, "policy.json")) }, "kept"},
		{"a file of roots that is gone", func(f *folder) { _ = os.Remove(filepath.Join(f.dir, "a.pem")) }, "kept"},
	} {
		for name, back := range calls {
			for _, by := range []string{"Observe", "Logger"} {
				t.Run(fmt.Sprintf("%s, %s from %s", situation.name, name, by), func(t *testing.T) {
					f := newFolder(t)
					path := f.write("policy.json", scoped)
					h := &hook{call: back}
					code := certauth.Config{Observe: h.observe}
					if by == "Logger" {
						code = certauth.Config{Logger: slog.New(h)}
					}
					auth := open(t, path, code)
					h.auth = auth
					situation.spoil(f)
					ends(t, func() { _ = auth.Reload(t.Context()) })
					told := h.list()
					assert.Less(t, len(told), 200, "the hook must not be called forever")
					if by == "Observe" && name != "Close" && name != "Handler" {
						assert.Contains(t, told, situation.tells)
					}
				})
			}
		}
	}
}

// The same if a request triggers the reload.
func TestHandler_HooksMayCallBackFromALook(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	now := time.Now()
	var mutex sync.Mutex
	h := &hook{call: func(auth *policyfile.Authenticator) { _ = auth.Reload(t.Context()) }}
	auth := open(t, path, certauth.Config{Observe: h.observe, Now: func() time.Time {
		mutex.Lock()
		defer mutex.Unlock()
		return now
	}})
	h.auth = auth
	f.write("policy.json", "{")
	mutex.Lock()
	now = now.Add(time.Hour)
	mutex.Unlock()
	ends(t, func() {
		for !slices.Contains(h.list(), "kept") {
			call(auth, http.NotFoundHandler())
		}
		require.Error(t, auth.Reload(t.Context()))
	})
}

// Reload gives up when its context ends, and Close and Require do not wait for a reload that hangs.
func TestReload_NobodyWaitsForAReloadThatHangs(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	var mutex sync.Mutex
	hang, reached := make(chan struct{}), make(chan struct{}, 1)
	slow := false
	auth := open(t, path, certauth.Config{Now: func() time.Time {
		mutex.Lock()
		wait := slow
		mutex.Unlock()
		if wait {
			select {
			case reached <- struct{}{}:
			default:
			}
			<-hang
		}
		return time.Now()
	}})
	f.write("policy.json", scoped+" ")
	mutex.Lock()
	slow = true
	mutex.Unlock()
	done := make(chan error, 1)
	go func() { done <- auth.Reload(t.Context()) }()
	<-reached
	mutex.Lock()
	slow = false
	mutex.Unlock()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	ends(t, func() {
		err := auth.Reload(ctx)
		require.ErrorContains(t, err, "another reload is running: enough")
		auth.Require(certauth.Organizations{"a"})
		require.NoError(t, auth.Close())
	})
	close(hang)
	require.ErrorContains(t, <-done, "closed", "what was read meanwhile is not put in use")
	status, _ := call(auth, http.NotFoundHandler())
	assert.Equal(t, http.StatusUnauthorized, status)
}

// A route that is made while a document is being read is part of that document as well, or the document
// is refused.
func TestRequire_WhileADocumentIsRead(t *testing.T) {
	for name, row := range map[string]struct {
		next string
		want string
	}{
		"the next document allows it": {scoped + " ", ""},
		"the next document does not (no chain stands before the issuer)": {`{
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"thumbprints": ["` + strings.Repeat("00", 32) + `"]}}`, "a route of the program does not fit this document"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			path := f.write("policy.json", scoped)
			var middle func()
			auth := open(t, path, certauth.Config{Now: func() time.Time {
				if now := middle; now != nil {
					middle = nil
					now()
				}
				return time.Now()
			}})
			f.write("policy.json", row.next)
			middle = func() {
				auth.Require(certauth.NotRevoked{Checker: policyfile.Active(auth).Checkers["strict"]})
			}
			err := auth.Reload(t.Context())
			require.Nil(t, middle)
			if row.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, row.want)
			}
		})
	}
}
