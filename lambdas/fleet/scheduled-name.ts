/**
 * The name of a scheduled run, from the time it was scheduled for: a schedule that fires twice for one time names one run. Pure. Colons may
 * not stand in an execution's name, which is why EventBridge Scheduler cannot make it by itself.
 */
export function scheduledName(schedule: string, scheduledTime: string): string {
  const time = new Date(scheduledTime).toISOString().replace(/[-:]|\.\d+/g, "");
  return `${schedule}-${time}`;
}
