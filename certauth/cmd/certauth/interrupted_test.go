package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding O62: after an interrupt while a responder was asked, explain and revocation exited with 1, as for a caller that is
// refused or a certificate that is revoked.
func TestMain_AnInterruptedQuestionHasNoAnswer(t *testing.T) {
	var interrupt context.CancelFunc
	responder := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	t.Cleanup(responder.Close)
	w := newWorld(t)
	client := w.write("client.pem", string(w.issuing.Issue(t, "orders", certauthtest.OCSPAt(responder.URL)).PEM()))
	_, port, ok := strings.Cut(strings.TrimPrefix(responder.URL, "http://"), ":")
	require.True(t, ok)
	policy := w.write("policy.json", `{"source": {"appService": {}}, "policy": {"all": [`+chain+`, {"notRevoked": {"checker": "ask"}}]},
		"revocation": {"ask": {"scope": "leafOnly", "http": {"allowNets": ["127.0.0.1/32"], "allowPorts": [`+port+`]}}}}`)
	for _, args := range [][]string{
		{"explain", "-policy", policy, client},
		{"revocation", "-roots", w.path("root.pem"), "-issuing", w.path("issuing.pem"), "-policy", policy, "-checker", "ask", client},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		interrupt = cancel
		var out, errs bytes.Buffer
		p := &program{ctx: ctx, stdin: strings.NewReader(""), out: &out, errs: &errs, now: time.Now, all: commands()}
		assert.Equal(t, exitFailed, p.main(args), out.String())
		assert.Equal(t, "certauth "+args[0]+": interrupted, so that this is no answer\n", errs.String())
		cancel()
	}
}
