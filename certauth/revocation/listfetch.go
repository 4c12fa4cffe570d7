package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// loadRemote brings the list up to date: from the store if it is not in memory, else from
// the first of its URLs that has something that verifies.
func (c *Checker) loadRemote(ctx context.Context, l *remoteList) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	err := c.tryRemote(ctx, l)
	if err == nil {
		l.failed.Store(nil)
		return nil
	}
	var tried setback
	tried.note(err, c.config.Now())
	if !tried.until.IsZero() {
		l.failed.Store(&tried)
	}
	return err
}

func (c *Checker) tryRemote(ctx context.Context, l *remoteList) error {
	fromStore := func() bool {
		leave, err := l.authority.load(ctx)
		if err != nil {
			return false
		}
		defer leave()
		return c.listFromStore(ctx, l)
	}
	if fromStore() {
		return nil
	}
	release, appeared := c.takeTurn(ctx, listKey(l), listTurn, fromStore)
	defer release()
	if appeared {
		return nil
	}
	leave, err := l.authority.load(ctx) // not while another instance is waited for
	if err != nil {
		return err
	}
	defer leave()
	var failed error
	for _, url := range l.urls {
		err := c.fetchList(ctx, l, url)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (c *Checker) fetchList(ctx context.Context, l *remoteList, url string) error {
	old := l.current.Load()
	request := Request{Kind: SourceCRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)}
	if old != nil && old.url == url {
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	response, err := c.get(ctx, l.authority.key, request, func(response Response) (Result, error) {
		if response.NotModified {
			return c.renew(ctx, l, old, response)
		}
		return c.acceptList(ctx, l, response, url, false)
	})
	if err != nil || response.NotModified || c.config.Store == nil {
		return err
	}
	if now := l.current.Load(); now != nil {
		c.toStore(ctx, listKey(l), response.Body, now.base.NextUpdate(), storeTimeoutCRL)
	}
	return nil
}

// get fetches once through the gate and hands what came to use, whose error is that of
// the fetch.
func (c *Checker) get(ctx context.Context, owner string, request Request, use func(Response) (Result, error)) (Response, error) {
	pass, err := c.gate.enter(ctx, owner, request.URL)
	if err != nil {
		return Response{}, err
	}
	began := c.config.Now()
	var response Response
	var result Result
	err = guarded(func() (err error) {
		response, err = c.fetcher.Fetch(ctx, request)
		return err
	})
	pass.leave(ctx, err, askedToWait(err))
	took := c.config.Now().Sub(began)
	if err == nil {
		result, err = use(response)
	}
	c.tell(ctx, fetched{
		source: SourceCRL, url: request.URL, took: took, bytes: len(response.Body), result: result, err: err,
	})
	return response, err
}

// renew keeps what the server says has not changed.
func (c *Checker) renew(ctx context.Context, l *remoteList, old *loadedList, response Response) (Result, error) {
	next, err := c.renewed(ctx, old, l.authority, l.freshest, response.MaxAge)
	if err != nil {
		return Result{}, err
	}
	if err := c.makeRoom(next.crl.Size(), l, c.config.Now()); err != nil { // for its delta
		return Result{}, err
	}
	c.remote.hold(l, next)
	return Result{Status: Good, ThisUpdate: next.base.ThisUpdate(), NextUpdate: next.base.NextUpdate()}, nil
}

// renewed is the list that has not changed, if it still counts, with the delta of today:
// that changes while its base does not.
func (c *Checker) renewed(ctx context.Context, old *loadedList, by *authority, also freshest, maxAge time.Duration) (*loadedList, error) {
	if old == nil {
		return nil, fmt.Errorf("%w: 304 without a condition", HTTPStatusError{Status: http.StatusNotModified})
	}
	now := c.config.Now()
	if err := c.notOver(old.base, now); err != nil {
		return nil, err
	}
	next := *old
	next.number = c.numbers.Add(1)
	next.crl, next.deltaMissing = c.withDelta(ctx, old.base, old, by, also)
	next.soft = c.softOf(next.crl, now, maxAge)
	return &next, nil
}

// acceptList verifies what came and puts it beside nothing, or in place of an older list
// of the same scope.
func (c *Checker) acceptList(ctx context.Context, l *remoteList, response Response, url string, stored bool) (Result, error) {
	base, err := c.build(ctx, response.Body, l.authority)
	if err != nil {
		return Result{}, err
	}
	now := c.config.Now()
	if err := c.remote.covers(l, base); err != nil {
		return Result{}, err
	}
	if err := c.begun(base, now); err != nil {
		return Result{}, err
	}
	if old := l.current.Load(); old != nil {
		err := c.mayReplace(old.base, base, now)
		// Both are for these certificates: the CA has changed what the list says of itself.
		if errors.Is(err, ErrCRLScope) && !base.ThisUpdate().Before(old.base.ThisUpdate()) && c.remote.coversAll(l, base, old.base) {
			err = nil
		}
		if err != nil {
			return Result{}, err
		}
	} else if seen := l.newest.Load(); seen != nil && sameExtension(seen.point, base.base.pointDER) && base.standing().compare(seen.standing) < 0 {
		return Result{}, ErrRollback
	}
	next := &loadedList{number: c.numbers.Add(1), crl: base, base: base, url: url, etag: response.ETag, lastModified: response.LastModified}
	next.crl, next.deltaMissing = c.withDelta(ctx, base, l.current.Load(), l.authority, l.freshest)
	next.soft = c.softOf(next.crl, now, response.MaxAge)
	if stored {
		next.soft = softOfStored(next.soft, base.ThisUpdate(), now, maxSoftCRL)
	}
	if err := c.makeRoom(next.crl.Size(), l, now); err != nil {
		return Result{}, err
	}
	c.remote.hold(l, next)
	found := Result{Status: Good, ThisUpdate: base.ThisUpdate(), NextUpdate: base.NextUpdate()}
	return found, c.notOver(base, now)
}

// listFromStore uses what the store holds, if it verifies and is news.
func (c *Checker) listFromStore(ctx context.Context, l *remoteList) bool {
	der, ok := c.fromStore(ctx, listKey(l), storeTimeoutCRL)
	if !ok {
		return false
	}
	if len(der) > c.config.MaxListBytes {
		c.stats.storeRejected.Add(1)
		return false
	}
	if old := l.current.Load(); old != nil && !isNews(old, der) {
		return false
	}
	if _, err := c.acceptList(ctx, l, Response{Body: der}, "", true); err != nil {
		c.stats.storeRejected.Add(1)
		return false
	}
	c.stats.storeHits.Add(1)
	return true
}

// isNews spares the building of what is in memory already.
func isNews(old *loadedList, der []byte) bool {
	der, err := unwrapPEM(der)
	if err != nil {
		return false
	}
	l, err := parseList(der, completeList)
	return err == nil && l.thisUpdate.After(old.base.ThisUpdate())
}
