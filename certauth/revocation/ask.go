package revocation

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"time"
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
// request waiting. The first Good or Revoked ends it; with QueryAll only Revoked does, and
// whatever is not Good spoils it.
func (c *Checker) askResponders(ctx context.Context, r *record, cert *x509.Certificate) (answerOf, error) {
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan answerOf, len(r.responders))
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	next, pending := 0, 0
	ask := func() {
		to := r.responders[next]
		next++
		pending++
		asked.Go(func() {
			var a answerOf
			a.err = guarded(func() (err error) {
				a.result, a.der, err = c.askResponder(ctx, r, cert, to)
				return err
			})
			answers <- a
		})
	}
	var got poll
	hedge := time.NewTimer(c.config.HedgeAfter)
	defer hedge.Stop()
	ask()
	for pending > 0 {
		select {
		case a := <-answers:
			pending--
			got.add(a)
			if a.err == nil && (a.result.Status == Revoked && !r.now().isKnownHold(&a.result) || a.result.Status == Good && !c.config.QueryAll) {
				return a, nil
			}
			if next < len(r.responders) {
				ask()
				hedge.Reset(c.config.HedgeAfter)
			}
		case <-hedge.C:
			if next < len(r.responders) {
				ask()
				hedge.Reset(c.config.HedgeAfter)
			}
		}
	}
	return got.settle(c.config.QueryAll)
}

// poll collects what several responders say.
type poll struct {
	worst        answerOf
	err          error
	staleRevoked bool
}

func (p *poll) add(a answerOf) {
	if a.err != nil {
		p.err = errors.Join(p.err, a.err)
		p.staleRevoked = p.staleRevoked || a.result.StaleRevoked
		return
	}
	if rank(a.result.Status) > rank(p.worst.result.Status) {
		p.worst = a
	}
}

func (p *poll) settle(all bool) (answerOf, error) {
	p.worst.staleRevoked = p.staleRevoked
	switch p.worst.result.Status {
	case Revoked:
		return p.worst, nil
	case Good, Unknown:
		if p.err == nil || !all {
			return p.worst, nil
		}
	case Unavailable, NotApplicable:
	}
	return answerOf{staleRevoked: p.staleRevoked}, p.err
}

// rank orders what evidence says by how much it speaks against a certificate.
func rank(s Status) int {
	switch s {
	case NotApplicable:
		return 1
	case Good:
		return 2
	case Unknown:
		return 3
	case Revoked:
		return 4
	case Unavailable:
	}
	return 0
}

// askResponder asks one responder, twice at most.
func (c *Checker) askResponder(ctx context.Context, r *record, cert *x509.Certificate, to responder) (Result, []byte, error) {
	pass, err := r.partner.enter(ctx, to.url)
	if err != nil {
		return Result{}, nil, err
	}
	began := c.config.Now()
	var result Result
	var der []byte
	err = guarded(func() (err error) {
		result, der, err = c.converse(ctx, pass, r, cert, to)
		return err
	})
	pass.leave(ctx, err, askedToWait(err))
	c.tell(ctx, fetched{
		source: SourceOCSP, url: to.url, serial: cert.SerialNumber, took: c.config.Now().Sub(began), bytes: len(der), result: result, err: err,
	})
	return result, der, err
}

func askedToWait(err error) time.Duration {
	var status HTTPStatusError
	if errors.As(err, &status) {
		return status.RetryAfter
	}
	return 0
}

func (c *Checker) converse(ctx context.Context, p *pass, r *record, cert *x509.Certificate, to responder) (Result, []byte, error) {
	hash := c.hashes.of(to.url)
	result, der, wasGET, err := c.attempt(ctx, p, r, cert, to, hash, true)
	otherHash := hash != crypto.SHA1 && c.config.CertIDHash == CertIDAuto && isMisunderstood(err)
	if err == nil || !otherHash && !(wasGET && getFailed(err)) && !isRetryable(err) || p.resume(ctx) != nil {
		return result, der, err
	}
	staleRevoked := result.StaleRevoked
	if otherHash {
		hash = crypto.SHA1
	}
	// By POST: it may as well have been the GET that was not understood.
	result, der, _, err = c.attempt(ctx, p, r, cert, to, hash, false)
	if err == nil && otherHash {
		c.hashes.onlySHA1(to.url)
	}
	if err != nil {
		result.StaleRevoked = result.StaleRevoked || staleRevoked
	}
	return result, der, err
}

// isMisunderstood reports whether a responder may only not have understood the request: the
// CertID, or a GET.
func isMisunderstood(err error) bool {
	var refused ResponderStatusError
	return errors.As(err, &refused) && (refused.Status == 1 || refused.Status == 6) || errors.Is(err, ErrNoMatch)
}

// getFailed reports whether a POST may fare better. Some responders do not take a GET or
// misread its path, and caches before them answer it with an error page, with what they hold
// for another path, or with what has run out.
// A responder that asks to be left alone is not asked again.
func getFailed(err error) bool {
	var status HTTPStatusError
	if errors.As(err, &status) && (status.Status == http.StatusTooManyRequests || status.Status == http.StatusServiceUnavailable) {
		return false
	}
	return isMisunderstood(err) || errors.Is(err, ErrHTTPStatus) || errors.Is(err, ErrMalformed) ||
		errors.Is(err, ErrNotFresh) || errors.Is(err, ErrRollback)
}

func isRetryable(err error) bool {
	var refused ResponderStatusError
	return errors.As(err, &refused) && refused.Retryable()
}

// attempt sends one request and verifies what comes back. The place in the gate is given
// back before: to verify may take another fetch, of a list for the delegate, from the same
// host.
func (c *Checker) attempt(
	ctx context.Context, p *pass, r *record, cert *x509.Certificate, to responder, hash crypto.Hash, mayGET bool,
) (result Result, der []byte, wasGET bool, err error) {
	query, err := newOCSPRequest(cert, r.authority.cert(), hash, c.config.Verify.NonceMode)
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
	p.arrived(ctx)
	terms := c.terms(c.config.Now())
	terms.Nonce, terms.TrustedResponders, terms.Previous = query.nonce, to.trusted, c.outranks(r.now().ocsp, terms.Now)
	terms.delegate = c.delegateCheck(ctx, r.partner, r.authority.cert())
	result, err = VerifyOCSP(response.Body, cert, r.authority.cert(), terms)
	return result, response.Body, request.Method == http.MethodGet, err
}

// certIDHashes remembers which responders know SHA-1 alone.
type certIDHashes struct {
	first crypto.Hash

	mu   sync.Mutex
	sha1 map[string]bool
}

func newCertIDHashes(wanted CertIDHash) *certIDHashes {
	h := &certIDHashes{first: crypto.SHA1, sha1: map[string]bool{}}
	if wanted != CertIDSHA1 {
		h.first = crypto.SHA256
	}
	return h
}

func (h *certIDHashes) of(url string) crypto.Hash {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sha1[url] {
		return crypto.SHA1
	}
	return h.first
}

func (h *certIDHashes) onlySHA1(url string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sha1) >= maxHosts {
		clear(h.sha1)
	}
	h.sha1[url] = true
}
