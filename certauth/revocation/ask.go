package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// hedgeAfter is how long a responder or distribution point may take before the next one is asked, too.
const hedgeAfter = 700 * time.Millisecond

type answerOf struct {
	result Result
	der    []byte
}

// askResponders asks the responders in order, the next one as soon as one fails or takes longer
// than hedgeAfter. The first Good or Revoked ends the search.
func (c *Checker) askResponders(ctx context.Context, r *record, cert *x509.Certificate) (best answerOf, failed error) {
	ask := func(ctx context.Context, i int) (answerOf, error) {
		return c.askResponder(ctx, r, cert, r.responders[i])
	}
	hedge(ctx, hedgeAfter, len(r.responders), ask, func(_ int, a answerOf, err error) bool {
		if err != nil {
			failed = errors.Join(failed, err)
			return false
		}
		decides := a.result.Status == Good || a.result.Status == Revoked && !r.state.Load().isKnownHold(&a.result)
		if decides || best.result.Status != Revoked {
			best = a // a decision; until there is one, Unknown or the known hold
		}
		return decides
	})
	if best.der != nil {
		failed = nil
	}
	return best, failed
}

// hedge makes at most n attempts. It starts the next one when an attempt has ended without being
// enough, or when the duration after has passed. It reports whether one was enough; those that are
// still running then are cancelled. A panic counts as the error of its attempt.
func hedge[T any](
	ctx context.Context, after time.Duration, n int,
	attempt func(ctx context.Context, i int) (T, error), isEnough func(i int, result T, err error) bool,
) bool {
	ctx, cancel := context.WithCancel(ctx)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	defer cancel()
	type end struct {
		i      int
		result T
		err    error
	}
	ended, begun, pending := make(chan end, n), 0, 0
	patience := time.NewTimer(after)
	defer patience.Stop()
	for {
		if i := begun; i < n {
			attempts.Go(func() {
				result, err := safely.Do(func() (T, error) { return attempt(ctx, i) })
				ended <- end{i, result, err}
			})
			begun++
			pending++
		}
		if pending == 0 {
			return false
		}
		patience.Reset(after)
		select {
		case one := <-ended:
			pending--
			if isEnough(one.i, one.result, one.err) {
				return true
			}
		case <-patience.C:
		}
	}
}

// askResponder sends at most two requests to one responder.
func (c *Checker) askResponder(ctx context.Context, r *record, cert *x509.Certificate, to responder) (a answerOf, err error) {
	pass, err := r.partner.enter(ctx, to.url)
	if err != nil {
		return answerOf{}, err
	}
	began := c.config.Now()
	a, err = safely.Do(func() (answerOf, error) { return c.converse(ctx, r, cert, to) })
	pass.leave(ctx, err)
	serial := logtext.Clip(cert.SerialNumber.Text(16), maxSerialText)
	c.tell(ctx, Event{Kind: SourceOCSP, Serial: serial, Latency: c.config.Now().Sub(began), Bytes: len(a.der), Err: err}, to.url, a.result)
	return a, err
}

// converse sends a GET if the request fits into one, and then a POST if that may succeed where the
// first request failed.
func (c *Checker) converse(ctx context.Context, r *record, cert *x509.Certificate, to responder) (answerOf, error) {
	for mayGET := true; ; mayGET = false {
		der, nonce, err := newOCSPRequest(cert, r.authority.cert(), c.config.CertIDHash, c.config.Verify.NonceMode)
		if err != nil {
			return answerOf{}, err
		}
		// A request with a nonce must not be cached on the way (RFC 5019, section 5; RFC 6960, appendix A.1).
		request := requestTo(to.url, der, mayGET && nonce == nil)
		request.Configured = to.configured
		response, err := c.fetcher.Fetch(ctx, request)
		var a answerOf
		if err == nil {
			a.der = response.Body
			terms := c.terms(c.config.Now())
			terms.Nonce, terms.TrustedResponders, terms.Previous = nonce, to.trusted, c.outranks(r.state.Load().ocsp, terms.Now)
			a.result, err = VerifyOCSP(a.der, cert, r.authority.cert(), terms)
			r.accuse(&a.result)
		}
		if err == nil || !mayGET || !isWorthPOST(err, request.Method) {
			return a, err
		}
	}
}

// isWorthPOST reports whether a POST may succeed after this error. Some responders do not accept
// GET or misread its path, and caches in front of them answer it with an error page, with the
// response for another path, or with an expired one. A responder that asked for a pause is not
// asked again.
func isWorthPOST(err error, method string) bool {
	refused, _ := errors.AsType[evidence.ResponderStatusError](err)
	answer, _ := errors.AsType[fetch.HTTPStatusError](err)
	switch {
	case refused.Retryable():
		return true
	case method != http.MethodGet, answer.Status == http.StatusTooManyRequests, answer.Status == http.StatusServiceUnavailable:
		return false
	case refused.Status == 1, refused.Status == 6:
		return true
	}
	return isAny(err, evidence.ErrNoMatch, ErrHTTPStatus, ErrMalformed, fetch.ErrEncoding, ErrNotFresh, evidence.ErrRollback)
}
