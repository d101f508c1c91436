package app

import (
	"context"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/scratch"
)

// Run plans and delivers. Runs of the environment that a killed process left unfinished
// are finished first.
func (a *App) Run(ctx context.Context, ask RunOptions) (rep RunReport, err error) {
	err = a.during(ask.Event).withSession(ctx, func(s *session) error {
		keepReserve(s.workspace.Home)
		s.removeAbandoned()
		p, err := s.plan(ctx, ask)
		if err != nil {
			return err
		}
		if err := s.checkPushed(ctx); err != nil {
			return err
		}
		rep, err = s.execute(ctx, func() (record.Run, error) { return s.engine.Run(ctx, p) })
		return err
	})
	return rep, err
}

// removeAbandoned removes what killed processes left where they packed, unpacked and
// fetched models. Who uses such a folder holds its lock.
func (s *session) removeAbandoned() {
	now := s.app.Clock()
	scratch.Sweep(filepath.Join(s.workspace.Home, modelPrefix+"*"), now)
	scratch.Sweep(filepath.Join(engine.RunDir(s.workspace.Home, "*"), "work", "*", ".fetch-*"), now)
}

// execute runs the engine, sends notifications meanwhile, and returns the report.
func (s *session) execute(ctx context.Context, do func() (record.Run, error)) (RunReport, error) {
	news, err := s.startNotifications(ctx)
	if err != nil {
		return RunReport{}, err
	}
	s.engine.Announce = news.announce
	told := s.startTelemetry()
	defer told.Close()
	defer s.useCache(ctx)()
	s.recoverTargets(ctx)
	r, err := do()
	news.Close()
	if err != nil {
		return RunReport{}, err
	}
	rep, err := s.report(context.WithoutCancel(ctx), r)
	if err != nil {
		return rep, err
	}
	if err := s.app.writeCIOutputs(rep); err != nil {
		s.notice(rep.Environment, err.Error())
	}
	return rep, nil
}
