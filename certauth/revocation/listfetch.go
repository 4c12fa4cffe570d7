package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// loadRemote brings the list up to date: from the store if it is not in memory, else from
// the first of its URLs that has something that verifies.
func (c *Checker) loadRemote(ctx context.Context, l *remoteList, by *partner, want wanted) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	l.partner.Store(by)
	err := c.tryRemote(ctx, l, by, want)
	if err == nil {
		l.failed.Store(nil)
		return nil
	}
	now := c.config.Now()
	tried := setback{err: err, at: now}
	tried.note(err, now)
	if !tried.until.IsZero() {
		l.failed.Store(&tried)
	}
	return err
}

func (c *Checker) tryRemote(ctx context.Context, l *remoteList, by *partner, want wanted) error {
	if c.listFromStore(ctx, l, by) {
		known := l.current.Load()
		if want == (wanted{}) || want.news && known != nil && !hasCome(known.soft, c.config.Now(), maxSoftCRL) {
			return nil
		}
	}
	var failed error
	for _, url := range l.urls {
		err := c.fetchList(ctx, l, by, url)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (c *Checker) fetchList(ctx context.Context, l *remoteList, by *partner, url string) error {
	old := l.current.Load()
	request := Request{Kind: fetch.CRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)}
	if old != nil && old.url == url {
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	return c.get(ctx, by, request, func(response *inHand) (Result, error) {
		if response.NotModified {
			return c.renew(ctx, &l.place, l.source(by), old, response.MaxAge)
		}
		return c.acceptList(ctx, l, by, response, url)
	})
}

// inHand is a list that is being read: its body, counted until it is dropped.
type inHand struct {
	Response
	size int
	drop func()
}

// get fetches once through the gate and hands what came to use, whose error is that of
// the fetch. The body counts against what the partner may have in hand, from its first byte
// until use drops it or returns.
func (c *Checker) get(ctx context.Context, by *partner, request Request, use func(*inHand) (Result, error)) error {
	pass, err := by.Enter(ctx, request.URL)
	if err != nil {
		return err
	}
	began := c.config.Now()
	taken := 0
	request.Grow = func(n int) error {
		err := by.hand.take(n)
		if err == nil {
			taken += n
		}
		return err
	}
	var response inHand
	response.drop = func() {
		by.hand.give(taken)
		taken = 0
	}
	defer func() { response.drop() }()
	var result Result
	err = guarded(func() (err error) {
		response.Response, err = c.fetcher.Fetch(ctx, request)
		return err
	})
	pass.Leave(ctx, err)
	took := c.config.Now().Sub(began)
	response.size = len(response.Body)
	if err == nil && response.size > taken { // by a Fetcher that does not count
		err = request.Grow(response.size - taken)
	}
	size := response.size
	if err == nil {
		result, err = use(&response)
	}
	c.tell(ctx, Event{Kind: SourceCRL, Latency: took, Bytes: size, Err: err}, request.URL, result)
	return err
}

// renew keeps what the server says has not changed, if it still counts.
func (c *Checker) renew(ctx context.Context, p *place, from source, old *loadedList, maxAge time.Duration) (Result, error) {
	if old == nil || old.lone != nil {
		return Result{}, fmt.Errorf("%w: 304 without a condition", fetch.HTTPStatusError{Status: http.StatusNotModified})
	}
	now := c.config.Now()
	if err := c.notOver(old.base, now); err != nil {
		return Result{}, err
	}
	next := *old
	next.fetched, next.soft = now, c.softOf(next.crl.Edition(), now, maxAge)
	if err := c.lists.put(p, &next, nil); err != nil {
		return Result{}, err
	}
	return next.result(), c.refine(ctx, p, from, &next)
}

// source is whose list stands in a place, and where else its deltas are said to be.
type source struct {
	by     *partner
	of     *authority
	deltas deltaPlaces
}

// refine completes a list that counts already by its delta, which can take as long as it
// wants.
func (c *Checker) refine(ctx context.Context, p *place, from source, held *loadedList) error {
	next := *held
	next.crl, next.deltaMissing = c.withDelta(ctx, held.base, held, from)
	if next.crl == held.crl && next.deltaMissing == held.deltaMissing {
		return nil
	}
	if !p.operated || held.url != "" { // a file is read again when it changes
		next.soft = earliest(held.soft, c.softOf(next.crl.Edition(), held.fetched, 0))
	}
	err := c.lists.put(p, &next, held)
	if err != nil { // no room for the delta: the list counts on, without it
		bare := *held
		bare.deltaMissing = isIncomplete(held.crl, c.config.Now(), c.skew)
		return errors.Join(err, c.lists.put(p, &bare, held))
	}
	return nil
}

// acceptList verifies what came and puts it beside nothing, or in place of an older list
// of the same scope. It counts at once; its delta is fetched after that.
func (c *Checker) acceptList(ctx context.Context, l *remoteList, by *partner, response *inHand, url string) (Result, error) {
	next, err := c.admitList(ctx, l, by, response, url)
	if err != nil {
		return Result{}, err
	}
	stored := url == ""
	now := c.config.Now()
	if stored {
		next.soft = softOfStored(next.soft, next.base.ThisUpdate(), maxSoftCRL)
	}
	if err := c.lists.put(&l.place, next, nil); err != nil {
		return Result{}, err
	}
	if !stored && c.config.Store != nil {
		drop := response.drop // it is in hand until it is stored
		response.drop = func() {}
		if by.hand.lend(response.size, c.config.MaxListBytes/4) {
			drop()
			drop = func() { <-by.hand.storing }
		}
		c.toStore(listKey(l), response.Body, next.base.NextUpdate(), storeTimeoutCRL, drop)
	}
	response.Body = nil
	response.drop()
	if err := c.refine(ctx, &l.place, l.source(by), next); err != nil {
		return Result{}, err
	}
	return next.result(), c.notOver(next.base, now)
}

// admitList is everything that a list has to fulfil before it counts.
func (c *Checker) admitList(ctx context.Context, l *remoteList, by *partner, response *inHand, url string) (*loadedList, error) {
	base, err := c.build(ctx, response.Body, by, l.authority)
	if err != nil {
		return nil, err
	}
	now := c.config.Now()
	if err := c.remote.servesAny(l, base); err != nil {
		return nil, err
	}
	if err := base.Edition().Begun(now, c.skew); err != nil {
		return nil, err
	}
	old := l.current.Load()
	if old != nil {
		err := c.mayReplace(old.base.Edition(), base.Edition(), now)
		// Both are for these certificates: the CA has changed what the list says of itself.
		if errors.Is(err, ErrCRLScope) && !base.ThisUpdate().Before(old.base.ThisUpdate()) && c.remote.servesAll(l, base, old.base) {
			err = nil
		}
		if err != nil {
			return nil, err
		}
	} else if seen := l.newest.Load(); seen != nil && errors.Is(c.mayReplace(*seen, base.Edition(), now), evidence.ErrRollback) {
		return nil, evidence.ErrRollback
	}
	next := &loadedList{crl: base, base: base, fetched: now, url: url, etag: response.ETag, lastModified: response.LastModified}
	if old != nil && c.wantsDelta(base, l.deltas) {
		next.crl = withDeltaOf(base, old.crl)
	}
	next.soft = c.softOf(next.crl.Edition(), now, response.MaxAge)
	return next, nil
}

// listFromStore uses what the store holds, if it verifies and is news.
func (c *Checker) listFromStore(ctx context.Context, l *remoteList, by *partner) bool {
	der, ok := c.takeFromStore(ctx, l, by)
	if !ok {
		return false
	}
	response := inHand{Response: Response{Body: der}}
	size := len(der)
	response.drop = func() {
		by.hand.give(size)
		size = 0
	}
	defer func() { response.drop() }()
	if _, err := c.acceptList(ctx, l, by, &response, ""); err != nil {
		c.storeLies(ctx, err)
		return false
	}
	c.stats.storeHits.Add(1)
	return true
}

// takeFromStore reads a list that is news and counts it among those in hand. One list of a
// partner is read at a time; who cannot wait for that, as long as for the store itself, asks
// the network.
func (c *Checker) takeFromStore(ctx context.Context, l *remoteList, by *partner) ([]byte, bool) {
	if c.config.Store == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, min(storeTimeoutCRL, c.config.MaxWait/4))
	defer cancel()
	select {
	case by.hand.stored <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	der, ok := c.fromStore(ctx, listKey(l), storeTimeoutCRL, func() { <-by.hand.stored })
	if !ok {
		return nil, false
	}
	if len(der) > c.config.MaxListBytes {
		c.storeLies(ctx, ErrTooLarge)
		return nil, false
	}
	if old := l.current.Load(); old != nil && !isNews(old, der) {
		return nil, false
	}
	return der, by.hand.take(len(der)) == nil
}

// isNews spares the building of what is in memory already.
func isNews(old *loadedList, der []byte) bool {
	there, err := evidence.Look(der)
	return err == nil && !there.IsDelta && there.Edition.ThisUpdate.After(old.base.ThisUpdate())
}

func (l *remoteList) source(by *partner) source { return source{by, l.authority, l.deltas} }
