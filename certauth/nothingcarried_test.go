package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

type planKey struct{}

// plan describes how one request fails, and which other requests it makes in between.
type plan struct {
	caller, status, function, ends int
	within                         func()
	cancel                         context.CancelFunc
}

func planOf(ctx context.Context) *plan { return ctx.Value(planKey{}).(*plan) }

// Evaluations, readings and identities are reused. Requests that end, panic and are refused at any
// point, and hooks, functions and checkers that serve other requests in the middle of one, carry
// nothing over: each request has the outcome that it has alone and without a cache.
func TestEvaluation_CarriesNothingIntoAnotherRequest(t *testing.T) {
	w, v := newWorld(t), newWorld(t)
	pinned := []*certauthtest.Certificate{certauthtest.SelfSigned(t, "pinned 0"), certauthtest.SelfSigned(t, "pinned 1")}
	table := map[string]*x509.Certificate{"0|": w.leaf.Certificate, "1|": w.issue(t), "2|": v.leaf.Certificate, "3|": pinned[0].Certificate, "4|": pinned[1].Certificate, "5|": newWorld(t).leaf.Certificate}
	const callers = 6
	status := []certauth.RevocationStatus{certauth.RevocationGood, certauth.RevocationRevoked, certauth.RevocationUnavailable}
	checker := asked(func(ctx context.Context, _ []*x509.Certificate) (certauth.Revocation, error) {
		p := planOf(ctx)
		if p.within != nil {
			p.within()
		}
		if p.ends == 1 {
			p.cancel()
		}
		if p.status == len(status) {
			panic("checker")
		}
		return certauth.Revocation{Status: status[p.status], Source: "test"}, nil
	})
	function := certauth.PolicyFunc{Name: "f", Func: func(ctx context.Context, id *certauth.Identity) error {
		p := planOf(ctx)
		if !id.Leaf.Equal(table[fmt.Sprint(p.caller)+"|"]) {
			t.Error("another caller's identity")
		}
		if p.within != nil {
			p.within()
		}
		switch {
		case p.ends == 2:
			p.cancel()
		case p.function == 1:
			return errors.New("no")
		case p.function == 2:
			panic("function")
		}
		return nil
	}}
	policy := certauth.Any{
		certauth.Named{Name: "checked", Policy: w.behind(certauth.NotRevoked{Checker: checker})},
		certauth.Named{Name: "other", Policy: certauth.All{certauth.Any{w.chain(), v.chain()}, certauth.Not{Policy: certauth.CommonNames{"nobody"}}, function}},
		certauth.Named{Name: "pinned", Policy: certauth.All{certauth.Any{certauth.Thumbprints{pinned[0].Thumbprint()}, certauth.PublicKeys{spkiPin(pinned[1].Certificate)}}, function}},
	}
	route := certauth.All{function, certauth.Any{certauth.Matched{"other", "pinned"}, w.behind(certauth.NotRevoked{Checker: checker})}}

	type result struct {
		status int
		id     string
	}
	observe := func(ctx context.Context, _ certauth.Event) {
		if p, ok := ctx.Value(planKey{}).(*plan); ok && p.within != nil {
			p.within()
		}
	}
	type door struct {
		*certauth.Authenticator
		h, routed func(next http.Handler) http.Handler
	}
	open := func(size int, optional, reports bool) door {
		auth := must(t, certauth.Config{Source: meaning(table), Policy: policy, CacheSize: size, Observe: observe, Optional: optional, InsecureReportOnly: reports})
		return door{auth, auth.Handler, auth.Require(route)}
	}
	serve := func(d door, p plan, routed bool) result {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p.cancel = cancel
		r := offering(fmt.Sprint(p.caller)).WithContext(context.WithValue(ctx, planKey{}, &p))
		if p.caller == callers {
			r = httptest.NewRequest(http.MethodGet, "/", nil).WithContext(r.Context())
		}
		var got result
		next := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if id, ok := certauth.FromContext(r.Context()); ok {
				got.id = fmt.Sprint(id.Thumbprint(), id.Matched, len(id.Chains), id.Revocation.Status, id.NamesVouched())
			}
		}))
		if routed {
			next = d.routed(next)
		}
		recorder := httptest.NewRecorder()
		d.h(next).ServeHTTP(recorder, r)
		got.status = recorder.Code
		return got
	}
	for _, mode := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		fresh, shared := open(-1, mode[0], mode[1]), open(4, mode[0], mode[1])
		expected := map[string]result{}
		var plans []plan
		for caller := range callers + 1 {
			for status := range 4 {
				for function := range 3 {
					for ends := range 3 {
						plans = append(plans, plan{caller: caller, status: status, function: function, ends: ends})
					}
				}
			}
		}
		key := func(p plan, routed bool) string { return fmt.Sprint(p.caller, p.status, p.function, p.ends, routed) }
		accepted := 0
		for _, p := range plans {
			for _, routed := range []bool{false, true} {
				expected[key(p, routed)] = serve(fresh, p, routed)
				if expected[key(p, routed)].id != "" {
					accepted++
				}
			}
		}
		require.Greater(t, accepted, 20)
		require.Less(t, accepted, len(expected)*3/4)
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(worker)))
				for range 150 {
					p, routed := plans[random.IntN(len(plans))], random.IntN(2) == 0
					if random.IntN(3) == 0 {
						p.within = func() {
							other, routed := plans[random.IntN(len(plans))], random.IntN(2) == 0
							assert.Equal(t, expected[key(other, routed)], serve(shared, other, routed))
						}
					}
					assert.Equal(t, expected[key(p, routed)], serve(shared, p, routed), key(p, routed))
				}
			})
		}
		group.Wait()
	}
}
