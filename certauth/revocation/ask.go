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
)

// answerOf is what one responder came back with.
type answerOf struct {
	result Result
	der    []byte
	err    error
	// staleRevoked says that somebody's evidence was only too old, and said Revoked.
	staleRevoked bool
}

// askResponders asks one after the other, the next as soon as one fails or keeps the
// request waiting. The first Good or Revoked ends it.
func (c *Checker) askResponders(ctx context.Context, r *record, cert *x509.Certificate) (answerOf, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	next := 0
	ask := func(answers chan<- answerOf) bool {
		if next == len(r.responders) {
			return false
		}
		to := r.responders[next]
		next++
		asked.Go(func() {
			var a answerOf
			a.err = guarded(func() (err error) {
				a.result, a.der, err = c.askResponder(ctx, r, cert, to)
				return err
			})
			answers <- a
		})
		return true
	}
	var best answerOf // what decides, or Unknown, or a hold that is known already
	var failed error
	staleRevoked := false
	decided := hedge(c.config.HedgeAfter, len(r.responders), ask, func(a answerOf) bool {
		if a.err != nil {
			failed, staleRevoked = errors.Join(failed, a.err), staleRevoked || a.result.StaleRevoked
			return false
		}
		decides := a.result.Status == Good || a.result.Status == Revoked && !r.now().isKnownHold(&a.result)
		if decides || best.result.Status != Revoked {
			best = a
		}
		return decides
	})
	best.staleRevoked = staleRevoked && !decided
	if best.der == nil {
		return best, failed
	}
	return best, nil
}

// hedge starts attempts, at most so many: the next one as soon as one has ended without being
// enough, or has kept the caller waiting. start reports whether there was one to start. It
// reports whether one was enough.
func hedge[T any](after time.Duration, most int, start func(ended chan<- T) bool, isEnough func(T) bool) bool {
	ended, pending := make(chan T, most), 0
	patience := time.NewTimer(after)
	defer patience.Stop()
	for {
		if start(ended) {
			pending++
		}
		if pending == 0 {
			return false
		}
		patience.Reset(after)
		select {
		case one := <-ended:
			pending--
			if isEnough(one) {
				return true
			}
		case <-patience.C:
		}
	}
}

// askResponder asks one responder, twice at most.
func (c *Checker) askResponder(ctx context.Context, r *record, cert *x509.Certificate, to responder) (result Result, der []byte, err error) {
	pass, err := r.partner.Enter(ctx, to.url)
	if err != nil {
		return Result{}, nil, err
	}
	began := c.config.Now()
	err = guarded(func() (err error) {
		result, der, err = c.converse(ctx, r, cert, to)
		return err
	})
	pass.Leave(ctx, err)
	c.tell(ctx, fetched{
		source: SourceOCSP, url: to.url, serial: cert.SerialNumber, took: c.config.Now().Sub(began), bytes: len(der), result: result, err: err,
	})
	return result, der, err
}

// converse sends a request by GET, if it fits into one, and by POST if the GET may not have been
// understood.
func (c *Checker) converse(ctx context.Context, r *record, cert *x509.Certificate, to responder) (Result, []byte, error) {
	result, der, wasGET, err := c.attempt(ctx, r, cert, to, true)
	if err == nil || !(wasGET && getFailed(err)) && !isRetryable(err) {
		return result, der, err
	}
	staleRevoked := result.StaleRevoked
	result, der, _, err = c.attempt(ctx, r, cert, to, false)
	if err != nil {
		result.StaleRevoked = result.StaleRevoked || staleRevoked
	}
	return result, der, err
}

// getFailed reports whether a POST may fare better. Some responders do not take a GET or
// misread its path, and caches before them answer it with an error page, with what they hold
// for another path, or with what has run out.
// A responder that asks to be left alone is not asked again.
func getFailed(err error) bool {
	var status fetch.HTTPStatusError
	if errors.As(err, &status) && (status.Status == http.StatusTooManyRequests || status.Status == http.StatusServiceUnavailable) {
		return false
	}
	var refused evidence.ResponderStatusError
	misunderstood := errors.As(err, &refused) && (refused.Status == 1 || refused.Status == 6)
	for _, may := range []error{evidence.ErrNoMatch, ErrHTTPStatus, ErrMalformed, fetch.ErrEncoding, ErrNotFresh, evidence.ErrRollback} {
		misunderstood = misunderstood || errors.Is(err, may)
	}
	return misunderstood
}

func isRetryable(err error) bool {
	var refused evidence.ResponderStatusError
	return errors.As(err, &refused) && refused.Retryable()
}

// attempt sends one request and verifies what comes back.
func (c *Checker) attempt(
	ctx context.Context, r *record, cert *x509.Certificate, to responder, mayGET bool,
) (result Result, der []byte, wasGET bool, err error) {
	query, err := newOCSPRequest(cert, r.authority.cert(), c.config.CertIDHash, c.config.Verify.NonceMode)
	if err != nil {
		return Result{}, nil, false, err
	}
	request, wasGET := query.get(to.url)
	if !wasGET || !mayGET {
		request = query.post(to.url)
	}
	request.Configured = to.configured
	response, err := c.fetcher.Fetch(ctx, request)
	if err != nil {
		return Result{}, nil, request.Method == http.MethodGet, err
	}
	terms := c.terms(c.config.Now())
	terms.Nonce, terms.TrustedResponders, terms.Previous = query.nonce, to.trusted, c.outranks(r.now().ocsp, terms.Now)
	result, err = VerifyOCSP(response.Body, cert, r.authority.cert(), terms)
	return result, response.Body, request.Method == http.MethodGet, err
}
