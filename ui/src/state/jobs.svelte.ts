/** Every job of the profile, kept up to date by events. */
import { shell } from '$shell';

import type { JobInfo } from '../bindings/JobInfo';
import { t } from '../i18n/index.svelte';
import { titleOf } from '../words';
import { on } from './events';
import { complain, notify } from './notices.svelte';
import { Query } from './query.svelte';

export const jobs = new Query<JobInfo[]>(() => shell.call('jobs.list', { active: false }));

const moving = ['waiting', 'running', 'paused', 'interrupted'];

/** Whether a job is not over. */
export function active(job: JobInfo): boolean {
  return moving.includes(job.state);
}

/** Whether a job does not go on by itself, and not because someone paused it. */
export function stuck(job: JobInfo): boolean {
  return (job.state === 'paused' || job.state === 'interrupted') && job.error !== null;
}

/** Finished items as a fraction. */
export function share(job: JobInfo): number {
  return job.total === 0 ? 0 : (job.done + job.failed + job.skipped) / job.total;
}

/** Puts a job where it belongs: newest first. */
export function place(list: readonly JobInfo[], job: JobInfo): JobInfo[] {
  const at = list.findIndex((known) => known.job === job.job);
  if (at >= 0) return list.with(at, job);
  return [...list, job].sort((a, b) => b.job - a.job);
}

export function startJobs(): () => void {
  jobs.clear();
  void jobs.reload();
  const heard = on('job', ({ job }) => {
    const before = jobs.data?.find((known) => known.job === job.job);
    jobs.data = place(jobs.data ?? [], job);
    const title = titleOf(job.kind, job.title);
    if (before && active(before) && !active(job) && job.state !== 'cancelled') {
      const level = job.state === 'done' ? 'good' : job.state === 'failed' ? 'bad' : 'warning';
      notify(level, t(job.state === 'failed' ? 'jobs.failed' : 'jobs.finished', { title }));
    } else if (before && before.state !== job.state && stuck(job)) {
      notify('bad', t('jobs.stopped', { title }), { detail: job.error ?? undefined });
    }
  });
  const missed = on('missed', () => jobs.refresh());
  return () => {
    heard();
    missed();
  };
}

/** Pauses, resumes, cancels or tries again. */
export async function steer(verb: 'pause' | 'resume' | 'cancel' | 'retry', job: number): Promise<void> {
  try {
    const now = await shell.call(`jobs.${verb}`, { job });
    jobs.data = place(jobs.data ?? [], now);
  } catch (reason) {
    complain(reason);
  }
}
